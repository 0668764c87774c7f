// The steps that tell of a turning point: the batches before, at and after it, and what to show
// around them.

import {lowerBound} from "./columns.js";
import {median} from "./band.js";

const calmBatches = 10; // before the change, that tell what was usual
const marginBatches = 2; // before those
const afterBatches = 6; // after it was noticed
const nearBatches = 12; // whose distance is typical around the change
const plainSteps = 100; // a batch's distance where there are no batches

// The steps of all batches that the page knows, ascending; points have no image grid.
export function batchesOf({steps, series}) {
  const told = ["Q", "D"].flatMap((metric) => series.get(metric).step);
  return [...new Set([...steps, ...told])].sort((a, b) => a - b);
}

// steps: of the batches, ascending. A moment without a batch is null.
export function momentsOf({step, detected_step: detected}, steps) {
  const at = lowerBound(steps, step);
  const noticed = Math.max(at + 1, lowerBound(steps, detected ?? step));
  return {before: steps[at - 1] ?? null, at: steps[at] ?? null, after: steps[noticed] ?? null};
}

// Typical distance between two batches around a step.
export function spacingOf(step, steps) {
  const at = lowerBound(steps, step);
  const near = steps.slice(Math.max(0, at - nearBatches), at + 2);
  const gaps = near.slice(1).map((later, i) => later - near[i]);
  return gaps.length ? median(gaps) : plainSteps;
}

// calm: [first, end) from which the band comes; view: what is drawn.
export function stretchesOf({step, detected_step: detected}, steps) {
  const spacing = spacingOf(step, steps);
  const first = Math.max(0, Math.floor(step - calmBatches * spacing));
  const from = Math.max(0, Math.floor(first - marginBatches * spacing));
  const to = Math.ceil((detected ?? step) + afterBatches * spacing);
  return {calm: [first, step], view: [from, to]};
}
