// Columns -> Plotly traces. What is not a good value is a gap with a mark, never a line across.

import {xOf} from "./columns.js";
import {convertValue, flawOf} from "./reading.js";
import {smooth} from "./smoothing.js";

const lineWidth = 1.4; // px
const denseWidth = 1; // px, of a line with more points than the screen has columns
const dense = 600; // points
const dotSize = 4; // px, of the points of a sparse series
const markSize = 8; // px
const sparse = 80; // points; up to here each one gets a dot
const bandOpacity = 0.22;
const rawOpacity = 0.3; // of a line behind its mean
const symbols = {
  insufficient: "circle-open",
  failed: "x-thin-open",
  nonfinite: "triangle-up-open",
  zero: "triangle-down-open" // has no place on a log axis
};

// Epochs are unitless, Plotly's dates are milliseconds read as UTC: shifted to this clock's zone.
export function xValues(columns, axis) {
  const x = xOf(columns, axis);
  return axis === "time" ? x.map(toPlotTime) : x;
}

const zoneShift = (time) => new Date(time * 1000).getTimezoneOffset() * 60; // s, at that time

export const toPlotTime = (time) => (time - zoneShift(time)) * 1000;

export function fromPlotTime(milliseconds) {
  const time = milliseconds / 1000;
  // the shift is that of the time itself, which is within a day of what the plot calls it
  return time + zoneShift(time + zoneShift(time));
}

// floor: the y at which marks without a value stand. width: of the mean, in units of x; 0 is none.
// Returns band, line, marks and mean, of which the line carries the metric's name.
export function tracesOf(panel, metric, columns, {axis, color, yaxis, floor, width = 0}) {
  const x = xValues(columns, axis);
  const flaws = columns.value.map((value, i) => flawOf(panel, columns.status[i], value));
  const y = columns.value.map((value, i) => (flaws[i] ? null : convertValue(panel, value)));
  const shared = {type: "scatter", xaxis: "x", yaxis, hoverinfo: "skip", showlegend: false};
  const line = {
    ...shared,
    name: metric,
    mode: x.length <= sparse ? "lines+markers" : "lines",
    x,
    y,
    connectgaps: false,
    opacity: width ? rawOpacity : 1,
    line: {color, width: x.length > dense ? denseWidth : lineWidth},
    marker: {color, size: dotSize}
  };
  const marks = {
    ...shared,
    name: `${metric} marks`,
    mode: "markers",
    cliponaxis: false,
    ...marksOf()
  };
  const band = bandOf(columns, x, y, panel);
  return [
    ...(band.x.length ? [{...shared, ...bandStyle(metric, color), ...band}] : []),
    line,
    marks,
    ...(width ? [meanOf()] : [])
  ];

  function meanOf() {
    const y = smooth(xOf(columns, axis), line.y, width, panel.scale === "log");
    const style = {opacity: 1, zorder: 1, mode: "lines", line: {color, width: lineWidth}};
    return {...line, ...style, name: `${metric} mean`, y};
  }

  function marksOf() {
    const at = flaws.flatMap((flaw, i) => (flaw || isAlone(y, i) ? [i] : []));
    return {
      x: at.map((i) => x[i]),
      y: at.map((i) => y[i] ?? placeOf(panel, columns.value[i]) ?? floor),
      marker: {
        color,
        size: at.map((i) => (flaws[i] ? markSize : dotSize)),
        symbol: at.map((i) => symbols[flaws[i]] ?? "circle"),
        line: {width: 1.5, color}
      }
    };
  }
}

// A value that is not to be trusted still has a place; a missing one has none.
const placeOf = (panel, value) =>
  value === null || (panel.scale === "log" && value <= 0) ? null : convertValue(panel, value);

// A line of one point is invisible.
const isAlone = (y, i) =>
  y[i] !== null && (y[i - 1] ?? null) === null && (y[i + 1] ?? null) === null;

const bandStyle = (metric, color) => ({
  name: `${metric} ± stderr`,
  mode: "lines",
  fill: "toself",
  fillcolor: color,
  opacity: bandOpacity,
  line: {width: 0}
});

// One closed polygon per unbroken stretch, since a fill between two lines would bridge the gaps.
export function bandOf(columns, x, y, panel) {
  const band = {x: [], y: []};
  let stretch = [];
  for (let i = 0; i <= y.length; ++i) {
    if (i < y.length && y[i] !== null && columns.stderr[i] != null) {
      stretch.push(i);
      continue;
    }
    if (stretch.length > 1)
      closeBand(band, stretch, x, (j) => convertValue(panel, columns.stderr[j]), y);
    stretch = [];
  }
  return band;
}

function closeBand(band, stretch, x, error, y) {
  const back = stretch.toReversed();
  if (band.x.length) (band.x.push(null), band.y.push(null));
  band.x.push(...stretch.map((i) => x[i]), ...back.map((i) => x[i]));
  band.y.push(...stretch.map((i) => y[i] + error(i)), ...back.map((i) => y[i] - error(i)));
}
