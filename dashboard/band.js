// What was to be expected of a metric before it turned: its usual level and how far it usually
// strays, from the last batches before the change. The detector's own forecast is not stored with
// an alert; this uses its robust scale (MAD), its floors and its allowance, on the points shown.

import {lowerBound, rowAt} from "./columns.js";
import {convertValue, flawOf} from "./reading.js";
import {toPlotTime} from "./traces.js";

export const allowance = 1.25; // standard units that the detector lets pass as noise
const normalMad = 0.6745; // median of |x| of a standard normal variable
const floors = {S: 0.1, Q: 0.03, D: 0.08}; // smallest scale, as monitor/turning/settings.py; S: log
const fewest = 4; // rows; fewer tell no scale
const opacity = 0.16;

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// panel: of the metric. stretch: [first, end) in steps. Returns {level, low, high, count} in the
// metric's unit, null where too few points tell.
export function expectationOf(panel, columns, [first, end]) {
  const log = panel.scale === "log";
  const values = [];
  for (let i = lowerBound(columns.step, first); columns.step[i] < end; ++i) {
    const {status, value} = rowAt(columns, i);
    if (!flawOf(panel, status, value)) values.push(log ? Math.log(value) : value);
  }
  if (values.length < fewest) return null;
  const level = median(values);
  const mad = median(values.map((value) => Math.abs(value - level)));
  const reach = allowance * Math.max(mad / normalMad, floors[panel.key] ?? 0);
  const [low, middle, high] = [level - reach, level, level + reach].map(log ? Math.exp : Number);
  return {level: middle, low, high, count: values.length};
}

// The band and its level over the view, as Plotly draws them.
export function expectationTraces(panel, expectation, {axis, view, color, yaxis}) {
  const [from, to] = axis === "time" ? view.map(toPlotTime) : view;
  const [low, level, high] = [expectation.low, expectation.level, expectation.high].map((value) =>
    convertValue(panel, value)
  );
  const shared = {type: "scatter", mode: "lines", xaxis: "x", yaxis, hoverinfo: "skip"};
  return [
    {
      ...shared,
      name: "expected",
      x: [from, to, to, from],
      y: [low, low, high, high],
      fill: "toself",
      fillcolor: color,
      opacity,
      line: {width: 0}
    },
    {
      ...shared,
      name: "level",
      x: [from, to],
      y: [level, level],
      line: {color, width: 1, dash: "dash"}
    }
  ];
}
