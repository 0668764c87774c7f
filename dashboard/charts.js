// The curves: S, Q and D and what they unfold, as one Plotly figure with words over it.

import {Crosshair} from "./crosshair.js";
import {h} from "./element.js";
import {figureOf, frameOf} from "./figure.js";
import {Overlay} from "./overlay.js";
import {loadPlotly} from "./plotly.js";
import {fromPlotTime} from "./traces.js";

const redrawInterval = 250; // ms: four drawings a second, whatever arrives
const restFactor = 5; // of a drawing's own time: a fifth of a core at most, however much is open
const config = {displayModeBar: false, doubleClick: false, scrollZoom: false, showTips: false};

export class Curves {
  // getModel() -> {panels, series, axis, range, smoothing, color, alerts, restarts, pinned, notes,
  // expected?}, at each drawing. still: without zoom
  constructor(
    getModel,
    {id = "curves", still = false, onZoom, onHover, onPick, onFollow, onAlert, onDraw}
  ) {
    Object.assign(this, {getModel, still, onZoom, onDraw, restUntil: 0});
    this.plot = h("div", {id, role: "img"});
    this.overlay = new Overlay({onAlert});
    this.root = h("div", {class: "figure"}, this.plot, this.overlay.root);
    this.crosshair = new Crosshair(this.root, this.overlay, {onHover, onPick, onFollow});
    this.resized = new ResizeObserver(() => this.root.clientWidth !== this.width && this.draw());
    this.resized.observe(this.root);
  }

  async start() {
    this.plotly = await loadPlotly();
    this.draw();
    if (!this.still) this.plot.on?.("plotly_relayout", (change) => this.zoom(change));
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.resized.disconnect();
    this.crosshair.stop();
    // Plotly finishes a drawing later, on what a purge would have taken away
    Promise.resolve(this.drawing).finally(() => this.plotly?.purge(this.plot));
  }

  zoom(change) {
    const range = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    if (range.includes(undefined)) return;
    const time = (date) => fromPlotTime(Date.parse(`${date.replace(" ", "T")}Z`));
    this.onZoom(this.frame.axis === "time" ? range.map(time) : range);
  }

  // For what arrives by itself.
  drawSoon() {
    const wait = Math.max(0, this.restUntil - performance.now());
    this.timer ??= setTimeout(() => this.draw(), wait);
  }

  // For what a person did.
  draw() {
    clearTimeout(this.timer);
    this.timer = null;
    this.width = this.root.clientWidth;
    if (this.stopped || !this.width) return;
    if (this.crosshair.down) return this.drawSoon(); // a drawing would end the zoom box
    const begun = performance.now();
    this.frame = frameOf(this.getModel(), this.width);
    this.root.style.height = `${this.frame.place.height}px`;
    if (this.plotly) this.drawing = this.plotly.react(this.plot, ...this.figure(), config);
    this.overlay.update(this.frame);
    this.crosshair.setFrame(this.frame);
    this.onDraw(this.frame);
    const rest = Math.max(redrawInterval, restFactor * (performance.now() - begun));
    this.restUntil = this.frame.longest ? begun + rest : begun; // the first curves are waited for
  }

  get look() {
    return lookOf(this.root);
  }

  figure() {
    // on a phone a finger on the curves scrolls the page
    const touch = matchMedia("(pointer: coarse)").matches;
    return figureOf(this.frame, this.look, touch || this.still ? false : "zoom");
  }
}

function lookOf(node) {
  const style = getComputedStyle(node);
  const resolve = (variable) => style.getPropertyValue(variable).trim();
  return {resolve, font: style.fontFamily, faint: resolve("--faint"), grid: resolve("--grid")};
}
