// One crosshair through all panels: a line at the pointer, a dot on every curve, values above.

import {lowerBound, nearestIndex, rowAt, xOf} from "./columns.js";
import {h, setText} from "./element.js";
import {formatClock, formatCount, formatDate, formatNumber} from "./format.js";
import {xAtPixel, xPixel, yPixel} from "./layout.js";
import {lineName} from "./panels.js";
import {convertValue, flawOf, readFully} from "./reading.js";

const clickSlack = 4; // px a click may move; more is a drag
const doubleTime = 350; // ms between two clicks that are one double click
const nearby = 6; // px from a restart within which the label tells of it

export class Crosshair {
  // onHover(step or null), onPick(step), onFollow() for a double click
  constructor(figure, overlay, {onHover, onPick, onFollow}) {
    Object.assign(this, {figure, overlay, onHover, onPick, onFollow});
    Object.assign(this, {frame: null, x: null, step: null, down: null, clickedAt: 0});
    this.line = h("div", {class: "crosshair", hidden: true});
    this.label = h("div", {class: "crosshair-label", hidden: true});
    this.dots = h("div", {"aria-hidden": "true"});
    overlay.root.append(this.line, this.dots, this.label);
    figure.addEventListener("pointermove", (event) => this.move(event));
    figure.addEventListener("pointerleave", () => this.clear());
    figure.addEventListener("pointerdown", (event) => this.press(event));
    this.release = (event) => this.lift(event);
    for (const type of ["pointerup", "pointercancel"]) window.addEventListener(type, this.release);
  }

  stop() {
    for (const type of ["pointerup", "pointercancel"]) {
      window.removeEventListener(type, this.release);
    }
  }

  setFrame(frame) {
    this.frame = frame;
    if (this.x !== null) this.draw();
  }

  move(event) {
    const x = this.xOf(event);
    if (x === null || this.down) return this.clear();
    this.x = x;
    this.draw();
    this.onHover(this.step);
  }

  press(event) {
    if (event.button === 0 && this.xOf(event) !== null) this.down = event;
  }

  lift(event) {
    const down = this.down;
    this.down = null;
    if (!down || event.type !== "pointerup") return;
    const moved = Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
    if (moved > clickSlack) return;
    this.x = this.xOf(event);
    if (this.x === null) return;
    this.draw();
    const double = event.timeStamp - this.clickedAt < doubleTime;
    this.clickedAt = double ? 0 : event.timeStamp;
    if (double) this.onFollow();
    else if (this.step !== null) this.onPick(this.step);
  }

  xOf(event) {
    if (!this.frame?.view) return null;
    const {place} = this.frame;
    const box = this.figure.getBoundingClientRect();
    const left = event.clientX - box.left;
    const top = event.clientY - box.top;
    const inside = left >= place.left && left <= place.left + place.width;
    return inside && top >= place.boxes[0].headTop && top <= place.bottom ? left : null;
  }

  clear() {
    if (this.x === null) return;
    this.x = null;
    this.line.hidden = this.label.hidden = true;
    this.dots.replaceChildren();
    for (const {panel} of this.frame.place.boxes) this.overlay.readoutOf(panel)?.replaceChildren();
    this.onHover(null);
  }

  draw() {
    const {place, view, axis} = this.frame;
    const wished = xAtPixel(place, view, this.x);
    const rows = place.boxes.map((box, i) => this.rowsOf(box, i, wished));
    const nearest = closest(rows.flat(), axis, wished);
    this.step = nearest?.row.step ?? null;
    for (const [i, {panel}] of place.boxes.entries()) {
      this.overlay.readoutOf(panel)?.replaceChildren(...rows[i].map(drawValue));
    }
    this.dots.replaceChildren(
      ...rows
        .flat()
        .filter(({y}) => y !== null)
        .map(drawDot)
    );
    this.line.hidden = this.label.hidden = !nearest;
    if (!nearest) return;
    const left = xPixel(place, view, nearest.row[axis]);
    const top = place.boxes[0].headTop;
    this.line.style.cssText = `left:${left}px;top:${top}px;height:${place.bottom - top}px`;
    const restart = this.frame.restarts.find(
      ({x}) => Math.abs(xPixel(place, view, x) - this.x) <= nearby
    );
    setText(this.label, restart?.text ?? describe(nearest.row, axis));
    const half = this.label.offsetWidth / 2;
    const centre = Math.min(Math.max(left, half), this.figure.clientWidth - half);
    this.label.style.cssText = `left:${centre - half}px;top:${place.bottom + 4}px`;
  }

  // The row of each line that is nearest to the pointer and in view.
  rowsOf(box, index, wished) {
    const {series, axis, view, place, yRanges, color} = this.frame;
    return box.panel.metrics.flatMap((metric) => {
      const columns = series.get(metric);
      const x = xOf(columns, axis);
      const row = rowAt(columns, nearestIndex(x, wished));
      if (!row || lowerBound(view, row[axis]) === 2 || row[axis] < view[0]) return [];
      const good = flawOf(box.panel, row.status, row.value) === null;
      const y = good ? yPixel(box, yRanges[index], convertValue(box.panel, row.value)) : null;
      const text = readFully(box.panel, row);
      const left = xPixel(place, view, row[axis]);
      return [{row, text, y, left, name: lineName(metric, box.panel), color: color(metric)}];
    });
  }
}

const closest = (rows, axis, x) =>
  rows.reduce((best, each) => {
    const nearer = !best || Math.abs(each.row[axis] - x) < Math.abs(best.row[axis] - x);
    return nearer ? each : best;
  }, null);

const drawValue = ({name, text, color}) =>
  h("span", {style: `--series:var(${color})`}, h("i"), name, " ", h("b", null, text));

const drawDot = ({left, y, color}) =>
  h("div", {class: "dot", style: `left:${left}px;top:${y}px;--series:var(${color})`});

function describe(row, axis) {
  const step = `step ${formatCount(row.step)}`;
  const epoch = row.epoch == null ? "" : ` · epoch ${formatNumber(row.epoch)}`;
  return `${step}${epoch} · ${axis === "time" ? formatDate(row.time) : formatClock(row.time)}`;
}
