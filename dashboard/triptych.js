// The images before, at and after a turning point, side by side.

import {gridPath} from "./api.js";
import {h} from "./element.js";
import {formatCount, formatNumber} from "./format.js";

const names = {before: "Before", at: "At the change", after: "Once noticed"};
const missing = {
  before: "No batch from before.",
  at: "No batch yet.",
  after: "Comes with the next batch."
};

// moments: {before, at, after} as steps or null. valuesOf(step) -> {Q, D}, null where unknown.
export const drawTriptych = (run, moments, valuesOf) =>
  Object.keys(names).map((name) => drawMoment(run, name, moments[name], valuesOf));

function drawMoment(run, name, step, valuesOf) {
  const note = h("p", {class: "note"}, step === null ? missing[name] : "");
  const frame = h("div", {class: "grid-frame"}, note);
  if (step !== null) frame.prepend(drawGrid(run, step, note));
  return h(
    "figure",
    null,
    frame,
    h("figcaption", null, h("b", null, names[name]), step !== null && drawCaption(step, valuesOf))
  );
}

function drawGrid(run, step, note) {
  const image = h("img", {
    src: gridPath(run, step),
    alt: `Generated images at step ${formatCount(step)}`,
    draggable: "false",
    onerror: () => {
      image.hidden = true;
      note.textContent = `The grid of step ${formatCount(step)} is not available.`;
    }
  });
  return image;
}

function drawCaption(step, valuesOf) {
  const values = Object.entries(valuesOf(step)).filter(([, value]) => value !== null);
  const read = values.map(([name, value]) => `${name} ${formatNumber(value)}`).join(" · ");
  return [
    h("span", null, `step ${formatCount(step)}`),
    h("span", {class: "caption values-then"}, read)
  ];
}
