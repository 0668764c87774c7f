// Series of many layers -> cells of a heatmap: the largest value of each stretch, so that a spike of
// one step shows, in a colour that reads alike to all eyes.

import {lowerBound, upperBound, xOf} from "./columns.js";

const cellWidth = 3; // px at least
const pointsPerCell = 4; // two pairs of a minimum and a maximum: each cell holds a maximum
const viridis = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37]
];

// As many cells as have points, of the layer that has most of them in view.
export function cellCount(all, axis, view, width) {
  const counts = all.map((columns) => {
    const x = xOf(columns, axis);
    return upperBound(x, view[1]) - lowerBound(x, view[0]);
  });
  const wanted = Math.floor(Math.max(0, ...counts) / pointsPerCell);
  return Math.max(1, Math.min(wanted, Math.floor(width / cellWidth)));
}

// [{value, step}] of one layer, null where no point can be shown.
export function cellsOf(columns, axis, view, count) {
  const x = xOf(columns, axis);
  const cells = Array.from({length: count}, () => null);
  const end = upperBound(x, view[1]);
  for (let i = lowerBound(x, view[0]); i < end; ++i) {
    const value = columns.value[i];
    if (columns.status[i] !== "ok" || !(value > 0)) continue; // zero has no place on a log scale
    const share = (x[i] - view[0]) / (view[1] - view[0]);
    const at = Math.min(count - 1, Math.floor(share * count));
    if (!(cells[at]?.value >= value)) cells[at] = {value, step: columns.step[i]};
  }
  return cells;
}

// [low, high] over all rows of cells; null without one.
export function scaleOf(rows) {
  let [low, high] = [Infinity, 0];
  for (const cell of rows.flat()) {
    if (cell) [low, high] = [Math.min(low, cell.value), Math.max(high, cell.value)];
  }
  return low > high ? null : [low, high];
}

// On a log scale; a scale of one value has the middle colour.
export function colorOf(value, [low, high]) {
  const share = high > low ? Math.log(value / low) / Math.log(high / low) : 0.5;
  const at = Math.min(1, Math.max(0, share)) * (viridis.length - 1);
  const i = Math.min(viridis.length - 2, Math.floor(at));
  const mix = viridis[i].map((part, k) => Math.round(part + (at - i) * (viridis[i + 1][k] - part)));
  return `rgb(${mix.join(" ")})`;
}

export const gradient = `linear-gradient(to right, ${viridis
  .map((parts) => `rgb(${parts.join(" ")})`)
  .join(", ")})`;
