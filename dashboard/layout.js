// Where each panel stands, and the same as a Plotly layout: one figure, one x axis, so that one
// crosshair and one zoom go through all panels.

import {comparesRuns} from "./panels.js";

export const margin = {left: 50, top: 20, bottom: 30}; // px
// px for the names and newest values at the lines' ends: a run's name is longer than a network's,
// and where there is no room for it, its colour says as much.
const ends = {network: 96, run: 160, value: 72};
const wide = 640; // px of a figure from which on it has room for runs' names
const head = 30; // px above each panel, for its title
const scaleTicks = [1, 2, 5];
const tickWidth = 90; // px for each label of the x axis

// Boxes in pixels from the top left of the figure.
export function placePanels(panels, width) {
  let y = margin.top;
  const boxes = panels.map((panel) => {
    const box = {panel, headTop: y, top: y + head, height: panel.height};
    y += head + panel.height;
    return box;
  });
  const compared = panels.some(comparesRuns);
  const named = width >= wide || !compared;
  const right = named ? (compared ? ends.run : ends.network) : ends.value;
  const plotWidth = Math.max(40, width - margin.left - right);
  const height = y + margin.bottom;
  return {boxes, left: margin.left, right, named, width: plotWidth, bottom: y, height};
}

export const xPixel = (place, range, x) =>
  place.left + ((x - range[0]) / (range[1] - range[0])) * place.width;

export const xAtPixel = (place, range, pixel) =>
  range[0] + ((pixel - place.left) / place.width) * (range[1] - range[0]);

export function yPixel(box, range, value) {
  const y = box.panel.scale === "log" ? Math.log10(value) : value;
  return box.top + box.height * (1 - (y - range[0]) / (range[1] - range[0]));
}

export const yAxisName = (index) => (index === 0 ? "y" : `y${index + 1}`);

// hasLine: whether a panel has anything to scale. look: {faint, grid, font}. lines: vertical,
// {x, color, dash, width?, opacity?}. x is in Plotly's units.
export function layoutOf(place, {axis, xRange, yRanges, hasLine, look, lines, dragmode}) {
  const plotHeight = place.height - margin.top - margin.bottom;
  const layout = {
    width: place.left + place.width + place.right,
    height: place.height,
    margin: {l: margin.left, r: place.right, t: margin.top, b: margin.bottom, pad: 0},
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: {family: look.font, size: 11, color: look.faint},
    hovermode: false,
    dragmode,
    showlegend: false,
    xaxis: {
      ...xAxis(axis, look, place.width),
      range: xRange,
      anchor: yAxisName(place.boxes.length - 1),
      showticklabels: hasLine.includes(true)
    },
    shapes: [...lines.map(verticalLine), ...place.boxes.flatMap((box, i) => guides(box, i, look))]
  };
  place.boxes.forEach((box, i) => {
    const bottom = (place.bottom - box.top - box.height) / plotHeight;
    const domain = [bottom, bottom + box.height / plotHeight].map(clampShare);
    layout[yAxisName(i).replace("y", "yaxis")] = {
      ...yAxis(box.panel, yRanges[i], look, !hasLine[i]),
      domain
    };
  });
  return layout;
}

const clampShare = (share) => Math.min(1, Math.max(0, share));

const xAxis = (axis, look, width) => ({
  type: axis === "time" ? "date" : "linear",
  tickformat: axis === "step" ? ",~r" : undefined,
  gridcolor: look.grid,
  zeroline: false,
  ticks: "",
  nticks: Math.max(3, Math.floor(width / tickWidth)),
  tickangle: 0,
  fixedrange: false,
  autorange: false
});

function yAxis(panel, range, look, empty) {
  const log = panel.scale === "log";
  return {
    type: panel.scale,
    range,
    autorange: false,
    fixedrange: true,
    gridcolor: look.grid,
    zeroline: false,
    showticklabels: !empty,
    ...(log ? {tickvals: logTicks(range), tickformat: "~r"} : {nticks: 4, tickformat: "~g"})
  };
}

// Whole decades; a short axis gets 2 and 5 as well.
export function logTicks([low, high]) {
  const factors = high - low > 2 ? [1] : scaleTicks;
  const ticks = [];
  for (let power = Math.floor(low); power <= high; ++power) {
    for (const factor of factors) {
      const at = power + Math.log10(factor);
      if (at >= low && at <= high) ticks.push(Number(`${factor}e${power}`));
    }
  }
  return ticks;
}

const verticalLine = ({x, color, dash, width = 1, opacity = 1}) => ({
  type: "line",
  xref: "x",
  yref: "paper",
  x0: x,
  x1: x,
  y0: 0,
  y1: 1,
  opacity,
  line: {color, width, dash},
  layer: "above" // below, a grid line at the same step would cover it
});

// Horizontal lines: the most that D can be, and where a difference is none.
function guides({panel}, i, look) {
  const lines = [
    ...(panel.ceiling ? [{y: panel.ceiling, dash: "dot"}] : []),
    ...(panel.zero ? [{y: 0, dash: "solid"}] : [])
  ];
  return lines.map(({y, dash}) => ({
    type: "line",
    xref: "paper",
    yref: yAxisName(i),
    x0: 0,
    x1: 1,
    y0: y,
    y1: y,
    line: {color: look.faint, width: 1, dash}
  }));
}
