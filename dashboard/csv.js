// Points as CSV, in the columns of REST.

import {seriesPath} from "./api.js";
import {lowerBound, upperBound, xOf} from "./columns.js";
import {convertView} from "./view.js";

const names = ["step", "epoch", "time", "value", "stderr", "n", "status"];

// The rows in view as the page holds them. model: {panels, series, axis}; view: [from, to] of x.
export function csvOf({panels, series, axis}, view) {
  const metrics = panels.flatMap((panel) => panel.metrics);
  const rows = metrics.flatMap((metric) => {
    const columns = series.get(metric);
    const x = xOf(columns, axis);
    const [first, end] = [lowerBound(x, view[0]), upperBound(x, view[1])];
    return columns.step
      .slice(first, end)
      .map((_, i) => [metric, ...names.map((name) => columns[name][first + i])]);
  });
  return [["metric", ...names], ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

function field(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Where the server gives every point of the same stretch.
export function allPointsPath(run, {panels, series, axis, range}) {
  const metrics = panels.flatMap((panel) => panel.metrics);
  const steps = convertView(series.longest(), axis, "step", range);
  const stretch = steps && [Math.floor(steps[0]), Math.ceil(steps[1])].map((s) => Math.max(0, s));
  return `${seriesPath(run, metrics, 0, stretch)}&format=csv`;
}
