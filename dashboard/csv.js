// Points as CSV, in the columns of REST.

import {seriesPath} from "./api.js";
import {longestOf, lowerBound, upperBound, xOf} from "./columns.js";
import {comparesRuns, runAndMetric} from "./panels.js";
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
      .map((_, i) => [...nameOf(metric), ...names.map((name) => columns[name][first + i])]);
  });
  const header = [...(comparesRuns({metrics}) ? ["run"] : []), "metric", ...names];
  return [header, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

const nameOf = (key) => runAndMetric(key).filter((part) => part !== null);

function field(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Where the server gives every point of one run in the same stretch.
export function allPointsPath(run, {panels, series, axis, range}) {
  const keys = panels.flatMap((panel) => panel.metrics);
  const own = keys.filter((key) => [null, run].includes(runAndMetric(key)[0]));
  const metrics = own.map((key) => runAndMetric(key)[1]);
  const steps = convertView(longestOf(own.map((key) => series.get(key))), axis, "step", range);
  const stretch = steps && [Math.floor(steps[0]), Math.ceil(steps[1])].map((s) => Math.max(0, s));
  return `${seriesPath(run, metrics, 0, stretch)}&format=csv`;
}
