// The images before, at and after a turning point, side by side.

import {gridPath} from "./api.js";
import {h} from "./element.js";
import {formatCount, formatNumber} from "./format.js";

const names = {before: "Before", at: "At the change", after: "Once noticed"};

// moments: [{name, step, hasGrid, values: [[metric, value]]}], step null where no batch is there.
// about: {live, hasGrids}, of the run: whether batches may come, whether they have images.
export const drawTriptych = (run, moments, about) =>
  moments.map((moment) => drawMoment(run, moment, about));

function drawMoment(run, {name, step, hasGrid, values}, {live, hasGrids}) {
  const read = values
    .filter(([, value]) => value !== null)
    .map(([metric, value]) => `${metric} ${formatNumber(value)}`);
  const none = noteOf(name, live);
  return h(
    "figure",
    null,
    hasGrids && drawFrame(run, step, hasGrid, none),
    h(
      "figcaption",
      null,
      h("b", null, names[name]),
      h("span", null, step === null ? (hasGrids ? "" : none) : `step ${formatCount(step)}`),
      h("span", {class: "caption values-then"}, read.join(" · "))
    )
  );
}

export function noteOf(name, live) {
  if (name === "before") return "No batch from before.";
  return live ? "Comes with the next batch." : "No batch came any more.";
}

function drawFrame(run, step, hasGrid, none) {
  const note = h("p", {class: "note"}, step === null ? none : hasGrid ? "" : "No images of it.");
  return h("div", {class: "grid-frame"}, hasGrid && drawGrid(run, step, note), note);
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
