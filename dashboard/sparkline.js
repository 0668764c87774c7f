// A curve of the size of a word.

import {svg} from "./element.js";
import {convertValue, flawOf} from "./reading.js";

const size = {width: 96, height: 26}; // px
const dash = "m-1.5,0h3"; // a lone point, which a line would not show
const inset = 2; // px, so that the line's own width stays inside

// lines: [{columns, color}]. panel: {scale, range?, floor?}.
export function sparkline(lines, panel, label) {
  const paths = placeLines(
    lines.map(({columns}) => columns),
    panel
  );
  return svg(
    "svg",
    {
      class: "spark",
      viewBox: `0 0 ${size.width} ${size.height}`,
      width: size.width,
      height: size.height,
      role: "img",
      "aria-label": label
    },
    paths.map((d, i) => svg("path", {d, style: `stroke:var(${lines[i].color})`}))
  );
}

// One path a line; a bad value is a gap.
export function placeLines(all, panel) {
  const lines = all.map((columns) =>
    columns.value.map((value, i) => place(panel, columns.status[i], value))
  );
  const steps = all.flatMap((columns) => columns.step);
  const known = lines.flat().filter((y) => y !== null);
  const [low, high] = panel.range ?? [panel.floor ?? Math.min(...known), Math.max(...known)];
  const first = Math.min(...steps);
  const x = scale(first, Math.max(...steps), inset, size.width - inset);
  const y = scale(low, high, size.height - inset, inset);
  return lines.map((values, line) => pathOf(values, (i) => x(all[line].step[i]), y));
}

function place(panel, status, value) {
  if (flawOf(panel, status, value)) return null;
  const converted = convertValue(panel, value);
  return panel.scale === "log" ? Math.log10(converted) : converted;
}

const scale = (from, to, low, high) => (value) =>
  from === to ? (low + high) / 2 : low + ((value - from) / (to - from)) * (high - low);

function pathOf(values, x, y) {
  const known = (i) => (values[i] ?? null) !== null;
  return values
    .map((value, i) => {
      if (!known(i)) return "";
      const at = `${x(i).toFixed(1)},${y(value).toFixed(1)}`;
      if (known(i - 1)) return `L${at}`;
      return known(i + 1) ? `M${at}` : `M${at}${dash}`;
    })
    .join("");
}
