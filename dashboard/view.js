// Which part of the x axis to show. A view is [from, to], null without one.

import {convertX} from "./columns.js";

const contextShare = 0.08; // of the run, shown on each side of a turning point
const contextSteps = 50; // at least

// columns: of a metric that has many rows; its axes convert into each other.
export function convertView(columns, from, to, view) {
  if (!columns || !view) return null;
  const converted = view.map((edge) => convertX(columns, from, to, edge));
  return converted.includes(null) ? null : converted;
}

// Before, at and after a turning point.
export function viewAround(alert, columns, axis) {
  const [first, last] = [columns.step[0], columns.step.at(-1)];
  const side = Math.max(contextSteps, contextShare * (last - first));
  const end = alert.detected_step ?? alert.step;
  const steps = [Math.max(first, alert.step - side), Math.min(last, end + side)];
  return convertView(columns, "step", axis, steps);
}

// Wider or narrower around the pinned step or the middle.
export function scaleView({view, longest, axis, pinned}, factor) {
  if (!longest) return null;
  const at = pinned === null ? null : convertX(longest, "step", axis, pinned);
  const middle = at ?? (view[0] + view[1]) / 2;
  return view.map((edge) => middle + (edge - middle) * factor);
}
