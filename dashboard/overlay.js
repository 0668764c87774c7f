// The words over the figure: titles, newest values at the end of the lines, turning points.

import {rowAt, lastRow, upperBound, xOf} from "./columns.js";
import {h, renderOnChange} from "./element.js";
import {formatCount, formatKind, formatNumber, tellApart} from "./format.js";
import {icon, signOf, toneOf} from "./icons.js";
import {margin, xPixel, yPixel} from "./layout.js";
import {comparesRuns, lineName} from "./panels.js";
import {convertValue, flawOf, readShortly} from "./reading.js";

const lineHeight = 15; // px between two labels
const endGap = 4; // px between a line and its label
const signWidth = 18; // px of a mark without its word
const letterWidth = 7; // px, about

export class Overlay {
  constructor({onAlert}) {
    this.onAlert = onAlert;
    this.heads = h("div");
    this.ends = h("div", {"aria-hidden": "true"});
    this.marks = h("div");
    this.root = h("div", {class: "overlay"}, this.heads, this.ends, this.marks);
  }

  update(frame) {
    const heads = frame.place.boxes.map(({panel, headTop}) => ({
      top: headTop,
      ...{key: panel.key, symbol: panel.symbol, title: panel.title, unit: panel.unit},
      ...{help: panel.help, ceiling: panel.ceiling, note: frame.notes[panel.key] ?? ""}
    }));
    renderOnChange(this.heads, heads, () => heads.map(drawHead));
    this.ends.replaceChildren(...frame.place.boxes.flatMap((box, i) => drawEnds(frame, box, i)));
    const marks = placeMarks(frame);
    renderOnChange(this.marks, marks, () => marks.map((mark) => drawMark(mark, this.onAlert)));
  }

  readoutOf(panel) {
    return this.heads.querySelector(`[data-panel="${CSS.escape(panel.key)}"] .readout`);
  }
}

const drawHead = ({key, top, symbol, title, unit, help, ceiling, note}) =>
  h(
    "div",
    {class: "panel-head", style: `top:${top}px;left:${margin.left}px`, "data-panel": key},
    h("h2", {title: help}, title === symbol ? symbol : [h("b", null, symbol), ` ${title}`]),
    unit && h("span", {class: "unit"}, unit),
    ceiling &&
      h("span", {class: "unit", title: "ln m, the most that m modes allow"}, ceilingText(ceiling)),
    note ? h("span", {class: "note"}, note) : h("span", {class: "readout"})
  );

const ceilingText = (ceiling) =>
  `ceiling ln ${formatCount(Math.round(Math.exp(ceiling)))} = ${formatNumber(ceiling)}`;

function drawEnds(frame, box, index) {
  const labels = box.panel.metrics.flatMap((metric) => {
    const columns = frame.series.get(metric);
    const x = xOf(columns, frame.axis);
    const row = rowAt(columns, upperBound(x, frame.view[1]) - 1);
    if (!row || row[frame.axis] < frame.view[0]) return [];
    const flaw = flawOf(box.panel, row.status, row.value);
    const y = flaw ? box.top + box.height : yOf(box, frame.yRanges[index], row);
    const old = row.step !== lastRow(columns).step;
    const text = readShortly(box.panel, row);
    // the only line of a panel is named by its title
    const name = metric === box.panel.title ? "" : lineName(metric, box.panel);
    return [{metric, y, text, old, name, color: frame.color(metric)}];
  });
  if (comparesRuns(box.panel)) {
    const names = [...new Set(box.panel.metrics.map((metric) => lineName(metric, box.panel)))];
    const short = new Map(tellApart(names).map((name, i) => [names[i], name]));
    for (const label of labels) label.name = short.get(label.name);
  }
  return spread(labels, box).map((label) => drawEnd(label, frame.place));
}

const yOf = (box, range, row) => yPixel(box, range, convertValue(box.panel, row.value));

// Labels of lines that end close together stand one below the other.
function spread(labels, box) {
  labels.sort((a, b) => a.y - b.y);
  labels.forEach((label, i) => {
    label.y = Math.max(label.y, i ? labels[i - 1].y + lineHeight : box.top);
  });
  for (let i = labels.length - 1, limit = box.top + box.height; i >= 0; --i, limit -= lineHeight) {
    labels[i].y = Math.min(labels[i].y, limit);
  }
  return labels;
}

const drawEnd = ({y, text, old, name, color}, {right, named}) =>
  h(
    "div",
    {
      class: old ? "end old" : "end",
      style: `top:${y}px;width:${right - endGap}px;--series:var(${color})`
    },
    h("i"),
    named && name && h("span", {class: "name"}, name),
    h("span", null, text)
  );

// Turning points, and restarts where these leave room for their sign.
export function placeMarks({place, view, turns, restarts}) {
  const right = place.left + place.width + place.right;
  const marks = [
    ...turns.map(({alert, x}) => ({alert, x, word: formatKind(alert.kind)})),
    ...restarts
  ]
    .map((mark) => ({...mark, left: Math.round(xPixel(place, view, mark.x))}))
    .filter(({left}) => left >= place.left && left <= place.left + place.width)
    .sort((a, b) => a.left - b.left);
  const seen = withoutLesser(marks);
  const roomOf = (marks) =>
    marks.map(({left}, i) => (marks[i + 1]?.left ?? right) - left - signWidth);
  const room = roomOf(seen);
  const shown = seen.filter(({alert}, i) => alert || (room[i] >= 0 && (room[i - 1] ?? 0) >= 0));
  const free = roomOf(shown);
  return shown.map((mark, i) => ({
    ...mark,
    word: mark.word.length * letterWidth < free[i] ? mark.word : ""
  }));
}

const gravity = {info: 0, warning: 1, critical: 2};

// Signs that would lie on one another: of two alerts the graver stays, the first of equal ones.
function withoutLesser(marks) {
  const kept = [];
  for (const mark of marks) {
    const last = kept.at(-1);
    const close = last?.alert && mark.alert && mark.left - last.left < signWidth;
    if (!close) kept.push(mark);
    else if (gravity[mark.alert.severity] > gravity[last.alert.severity]) kept.splice(-1, 1, mark);
  }
  return kept;
}

function drawMark(mark, onAlert) {
  if (mark.alert && onAlert) return drawTurn(mark, onAlert);
  return mark.alert ? drawRestart({...mark, ...stillOf(mark.alert)}) : drawRestart(mark);
}

const stillOf = (alert) => ({
  sign: signOf(alert),
  text: alert.message,
  tone: toneOf(signOf(alert))
});

const drawRestart = ({text, left, word, sign = "restart", tone = "quiet"}) =>
  h(
    "span",
    {class: `mark ${tone}`, style: `left:${left}px`, title: text, role: "img", "aria-label": text},
    icon(sign),
    word
  );

const drawTurn = ({alert, left, word}, onAlert) =>
  h(
    "button",
    {
      class: `mark ${toneOf(signOf(alert))}`,
      style: `left:${left}px`,
      title: alert.message,
      "aria-label": `${formatKind(alert.kind)} at step ${formatCount(alert.step)}: evidence`,
      onclick: () => onAlert(alert)
    },
    icon(signOf(alert)),
    word
  );
