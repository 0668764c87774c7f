// The small signs that repeat what a colour says.

import {svg} from "./element.js";

const circle = "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13z";
const triangle = "M8 2L15 14H1z";
const paths = {
  healthy: [circle, "M5 8.2l2.1 2.1L11 6"],
  learning: [circle, "M5 8h.01M8 8h.01M11 8h.01"],
  warning: [triangle, "M8 6.4v3.4M8 11.9h.01"],
  turned: ["M1.5 4.5h5.2l4 7.2h3.6", "M11.8 8.9l2.7 2.8l-2.7 2.8"],
  critical: ["M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5z", "M8 4.6v4M8 11.2h.01"],
  lost: [circle, "M3.6 3.6l8.8 8.8"],
  finished: [circle, "M5.8 5.8h4.4v4.4h-4.4z"],
  restart: ["M13.2 8.6A5.3 5.3 0 1 1 11.6 4.2L13 5.6", "M13.2 2.2v3.6H9.6"],
  info: [circle, "M8 7.4v3.8M8 4.8h.01"]
};
const tones = {
  healthy: "good",
  learning: "quiet",
  info: "quiet",
  finished: "quiet",
  warning: "warn",
  lost: "warn",
  turned: "bad",
  critical: "bad"
};

// A name from the server that is not known here still gets a sign.
export const icon = (name) =>
  svg(
    "svg",
    {class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true"},
    ...(paths[name] ?? paths.info).map((d) => svg("path", {d}))
  );

export const toneOf = (name) => tones[name] ?? "quiet";

// What is over calls nobody any more.
export const signOf = (alert) => (alert.resolved ? "finished" : alert.severity);
