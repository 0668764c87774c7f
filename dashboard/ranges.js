// What part of each axis is in view. The page owns the ranges: they move in whole steps, so that a
// live curve does not creep under the pointer, and labels know where their line is.

import {lowerBound, upperBound, xOf} from "./columns.js";
import {convertValue, flawOf} from "./reading.js";

const xSteps = 40; // the live edge moves in steps of about 1/40 of the view
const logStep = 0.1; // decades
const logSpan = 0.6; // decades; less would show noise as drama
const headroom = 1.06; // of the ceiling, so that its line is not the frame
const ySteps = 8;

// A round number of 1, 2 or 5 times a power of ten, not below x.
export function roundUp(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 5, 10].find((factor) => factor * power >= x * (1 - 1e-9)) * power;
}

// [from, to] over all series, or null without a point.
export function fullRange(all, axis) {
  let from = Infinity;
  let to = -Infinity;
  for (const columns of all) {
    const x = xOf(columns, axis);
    const known = x.length && x[0] !== null && x.at(-1) !== null;
    if (known) [from, to] = [Math.min(from, x[0]), Math.max(to, x.at(-1))];
  }
  if (from > to) return null;
  if (from === to) return [from - 1, to + 1];
  const step = roundUp((to - from) / xSteps);
  return [from, Math.ceil(to / step) * step];
}

// y range of a panel over the x in view, on a log scale in decades.
export function yRange(panel, all, axis, view) {
  if (panel.range) return panel.range;
  let {low, high} = extent(panel, all, axis, view);
  // between two points there is still the line that joins them
  if (low > high && view) ({low, high} = extent(panel, all, axis, view, 1));
  if (panel.scale === "log") return logRange(low, high);
  if (panel.ceiling) return [panel.floor ?? 0, Math.max(panel.ceiling, high) * headroom];
  if (low > high) return panel.zero ? [-1, 1] : [0, 1];
  if (panel.zero) [low, high] = [Math.min(0, low), Math.max(0, high)];
  const step = roundUp((high - low || Math.abs(high) || 1) / ySteps);
  return [panel.floor ?? Math.floor(low / step) * step, Math.ceil((high + step / 4) / step) * step];
}

function logRange(low, high) {
  if (low > high) return [-4, -1]; // radians of a usual training step, for an empty panel
  const from = Math.floor(Math.log10(low) / logStep - 0.5) * logStep;
  const to = Math.ceil(Math.log10(high) / logStep + 0.5) * logStep;
  const missing = Math.max(0, logSpan - (to - from)) / 2;
  return [from - missing, to + missing];
}

// beside: how many points on each side of the view count as well.
function extent(panel, all, axis, view, beside = 0) {
  let low = Infinity;
  let high = -Infinity;
  for (const columns of all) {
    const x = xOf(columns, axis);
    const end = view ? Math.min(x.length, upperBound(x, view[1]) + beside) : x.length;
    const first = view ? Math.max(0, lowerBound(x, view[0]) - beside) : 0;
    for (let i = first; i < end; ++i) {
      if (flawOf(panel, columns.status[i], columns.value[i])) continue;
      const value = convertValue(panel, columns.value[i]);
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return {low, high};
}
