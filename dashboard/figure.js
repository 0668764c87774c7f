// What is shown -> a frame (what stands where) -> the traces and layout of a Plotly figure.

import {expectationTraces} from "./band.js";
import {convertX} from "./columns.js";
import {signOf, toneOf} from "./icons.js";
import {layoutOf, placePanels, yAxisName} from "./layout.js";
import {fullRange, yRange} from "./ranges.js";
import {toPlotTime, tracesOf} from "./traces.js";

const pinStyle = {width: 5, opacity: 0.3}; // px; broad and faint, a turning point shows through
const colors = {bad: "--bad", warn: "--warn"};

// model: {panels, series, axis, range, smoothing, color, alerts, restarts, pinned, notes, expected?}
export function frameOf(model, width) {
  const {panels, series, axis, range, alerts} = model;
  const all = panels.map((panel) => panel.metrics.map((metric) => series.get(metric)));
  const longest = series.longest();
  const view = range ?? fullRange(all.flat(), axis) ?? [0, 1];
  const yRanges = panels.map((panel, i) => yRange(panel, all[i], axis, view));
  const turns = alerts
    .map((alert) => ({alert, x: xOfStep(longest, axis, alert.step)}))
    .filter(({x}) => x !== null);
  const restarts = model.restarts
    .map((restart) => ({...restart, x: xOfStep(longest, axis, restart.step)}))
    .filter(({x}) => x !== null);
  return {...model, place: placePanels(panels, width), view, yRanges, turns, restarts, longest};
}

const xOfStep = (longest, axis, step) =>
  longest === null || step === null ? null : convertX(longest, "step", axis, step);

// look: {resolve(variable) -> colour, font, faint, grid}. Returns [traces, layout].
export function figureOf(frame, look, dragmode) {
  const {axis, view, place, yRanges} = frame;
  const hasLine = place.boxes.map(({panel}) =>
    panel.metrics.some((metric) => frame.series.get(metric).step.length > 0)
  );
  const toPlot = axis === "time" ? toPlotTime : (x) => x;
  const layout = layoutOf(place, {
    axis,
    look,
    yRanges,
    hasLine,
    dragmode,
    xRange: view.map(toPlot),
    lines: linesOf(frame, look, toPlot)
  });
  return [place.boxes.flatMap((box, i) => panelTraces(frame, look, box.panel, i)), layout];
}

function panelTraces(frame, look, panel, i) {
  const {axis, view, smoothing, yRanges, series, expected} = frame;
  const yaxis = yAxisName(i);
  // Plotly draws the grid of a panel only where there is a line
  if (panel.metrics.length === 0) return [{type: "scatter", x: [null], y: [null], yaxis}];
  const floor = panel.scale === "log" ? 10 ** yRanges[i][0] : yRanges[i][0];
  const width = ((view[1] - view[0]) * smoothing) / 100;
  return panel.metrics.flatMap((metric) => {
    const options = {axis, view, color: look.resolve(frame.color(metric)), yaxis, floor, width};
    const usual = expected?.get(metric);
    const traces = tracesOf(panel, metric, series.get(metric), options);
    return usual ? [...expectationTraces(panel, usual, options), ...traces] : traces;
  });
}

// Restarts, turning points, and the step whose images are pinned.
function linesOf({turns, restarts, pinned, longest, axis}, look, toPlot) {
  const lines = restarts.map(({x}) => ({x: toPlot(x), color: look.faint, dash: "dot"}));
  for (const {alert, x} of turns) {
    const color = look.resolve(colors[toneOf(signOf(alert))] ?? "--faint");
    lines.push({x: toPlot(x), color, dash: "dash"});
  }
  const at = xOfStep(longest, axis, pinned);
  const color = look.resolve("--accent");
  if (at !== null) lines.push({x: toPlot(at), color, dash: "solid", ...pinStyle});
  return lines;
}
