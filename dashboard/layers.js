// S of every layer over the same axis as the curves. Fetched only while it is open.

import {getJson, seriesPath} from "./api.js";
import {Closeup} from "./closeup.js";
import {h, setText} from "./element.js";
import {angleIn, formatCount, formatNumber, plural} from "./format.js";
import {cellCount, cellsOf, colorOf, gradient, scaleOf} from "./heat.js";
import {margin} from "./layout.js";
import {byNetwork, tensorOf} from "./panels.js";
import {SeriesStore} from "./series.js";

const points = 800; // of a layer: four for each of 200 cells
const height = 320; // px of all rows together, as long as they can be told apart
const rowHeights = [4, 18]; // px, least and most
const labelHeight = 12; // px; lower rows have no room for their name
const refetchInterval = 10_000; // ms; the stream of events has no layers

export class Layers {
  constructor(run, get = getJson) {
    const fetch = (metrics, count, stretch, signal) =>
      get(seriesPath(run, metrics, count, stretch), {signal});
    this.series = new SeriesStore(fetch, () => this.draw(), points);
    this.closeup = new Closeup(fetch, () => this.draw(), {points});
    this.metrics = [];
    this.rows = [];
    this.build();
  }

  build() {
    this.canvas = h("canvas", {
      role: "img",
      onpointermove: (event) => this.read(event),
      onpointerleave: () => setText(this.readout, "")
    });
    this.scale = h("span", {class: "scale"});
    this.readout = h("span", {class: "readout"});
    this.labels = h("div", {"aria-hidden": "true"});
    this.root = h(
      "section",
      {class: "layers", hidden: true},
      h("header", null, h("h2", null, "S per layer"), this.scale, this.readout),
      h("div", {class: "heat"}, this.canvas, this.labels)
    );
  }

  // metrics: S.<network>/<tensor>, none while it is folded; live: whether more will come.
  update(metrics, live) {
    this.metrics = [...metrics].sort(byNetwork);
    this.live = live;
    this.root.hidden = metrics.length === 0;
    // what fails is tried again with the next update
    this.series.want(this.metrics).catch(() => {});
  }

  tick() {
    const now = performance.now();
    if (!this.metrics.length || !this.live || now - (this.askedAt ?? now) < refetchInterval) {
      this.askedAt ??= now;
      return;
    }
    this.askedAt = now;
    const stores = [this.series.reset(), this.closeup.reset()];
    Promise.all(stores).catch(() => {});
  }

  stop() {
    this.closeup.drop();
    this.metrics = [];
  }

  // frame: of the curves, whose axis and stretch this shares; unit: of S.
  draw(frame = this.frame, unit = this.unit) {
    Object.assign(this, {frame, unit});
    if (!frame || !this.metrics.length) return;
    const {axis, range, view, place} = frame;
    this.closeup.show({axis, range, metrics: this.metrics}, this.series.longest());
    const series = this.closeup.over(this.series);
    const all = this.metrics.map((metric) => series.get(metric));
    const count = cellCount(all, axis, view, place.width);
    this.rows = all.map((columns) => cellsOf(columns, axis, view, count));
    const fair = Math.floor(height / this.metrics.length);
    this.rowHeight = Math.min(rowHeights[1], Math.max(rowHeights[0], fair));
    this.paint(place.width, count);
    this.describe();
  }

  paint(width, count) {
    const scale = (this.limits = scaleOf(this.rows));
    const ratio = window.devicePixelRatio || 1;
    const tall = this.rowHeight * this.rows.length;
    Object.assign(this.canvas, {
      width: Math.round(width * ratio),
      height: Math.round(tall * ratio)
    });
    this.canvas.style.cssText = `margin-left:${margin.left}px;width:${width}px;height:${tall}px`;
    const gap = this.rowHeight < labelHeight ? 0 : 1; // px; thin rows would be half gaps
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    this.rows.forEach((cells, i) =>
      cells.forEach((cell, j) => {
        if (!cell) return;
        const [left, right] = [j, j + 1].map((at) => Math.round((at / count) * width));
        context.fillStyle = colorOf(cell.value, scale);
        context.fillRect(left, i * this.rowHeight, right - left, this.rowHeight - gap);
      })
    );
  }

  describe() {
    const number = (value) => formatNumber(angleIn(this.unit, value));
    const {limits, metrics, rowHeight} = this;
    const bar = h("i", {style: `background:${gradient}`});
    const ends = limits
      ? [number(limits[0]), bar, `${number(limits[1])} ${this.unit}`]
      : ["loading"];
    this.scale.replaceChildren(...ends);
    const label = (metric, i) =>
      h("span", {title: metric, style: `top:${i * rowHeight}px`}, tensorOf(metric));
    this.labels.replaceChildren(...(rowHeight < labelHeight ? [] : metrics.map(label)));
    const what = `S of ${plural(metrics.length, "layer")}`;
    const reach = limits ? `, ${number(limits[0])} to ${number(limits[1])} ${this.unit}` : "";
    this.canvas.setAttribute("aria-label", what + reach);
  }

  read({offsetX, offsetY}) {
    if (!this.rows.length) return; // Nothing is drawn yet.
    const row = Math.min(this.rows.length - 1, Math.floor(offsetY / this.rowHeight));
    const cells = this.rows[row];
    const at = Math.floor((offsetX / this.canvas.clientWidth) * cells.length);
    const cell = cells[Math.min(cells.length - 1, Math.max(0, at))];
    const value = cell && formatNumber(angleIn(this.unit, cell.value));
    const text = cell ? `${value} ${this.unit} at step ${formatCount(cell.step)}` : "no value";
    setText(this.readout, `${this.metrics[row]}: ${text}`);
  }
}
