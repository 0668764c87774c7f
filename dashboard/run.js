// The page of one run: verdict, trust, curves, the pictures at that moment, turning points.

import {Alerts} from "./alerts.js";
import {Curves} from "./charts.js";
import {lastRow} from "./columns.js";
import {Comparison} from "./compare.js";
import {Controls} from "./controls.js";
import {Details} from "./details.js";
import {h, setText} from "./element.js";
import {Evidence} from "./evidence.js";
import {RunFeed} from "./feed.js";
import {levelOf, RunHead} from "./head.js";
import {Layers} from "./layers.js";
import {Legend} from "./legend.js";
import {Modes} from "./modes.js";
import {Moves} from "./moves.js";
import {errorNotice} from "./notices.js";
import {paletteOf} from "./palette.js";
import {foldsOf, panelsOf} from "./panels.js";
import {Samples} from "./samples.js";
import {Saving} from "./saving.js";
import {toggled} from "./state.js";
import {Stopping} from "./stopping.js";
import {summaryOf, noteOf} from "./summary.js";
import {TrustBar} from "./trust.js";

const tickInterval = 1000; // ms
const narrowWidth = 640; // px

export class RunPage {
  // onHealth(health), onTitle(), onGo(path): for the whole document
  constructor(run, address, {onHealth, onTitle, onGo}) {
    Object.assign(this, {run, address, onHealth, onTitle, onGo, title: run});
    this.feed = new RunFeed(run, (what) => this.update(what));
    this.comparison = new Comparison(run, this.feed, () => this.update("compared"));
    this.trust = new TrustBar();
    this.stopping = new Stopping(run, {onChange: (stop) => this.feed.setStop(stop)});
    this.head = new RunHead(run, this.stopping.root);
    this.moves = new Moves(this);
    this.buildParts();
    this.build();
  }

  buildParts() {
    const {run, address, moves} = this;
    const onAlert = (alert) => moves.lookInto(alert);
    const onFollow = () => moves.follow();
    this.controls = new Controls(address, {onAxis: (x) => moves.setAxis(x), onFollow});
    this.layers = new Layers(run);
    this.curves = new Curves(() => this.model(), {
      onZoom: (range) => moves.zoomTo(range),
      onHover: (step) => this.samples.hover(step),
      onPick: (step) => moves.pin(step),
      onFollow,
      onAlert,
      onDraw: (frame) => this.layers.draw(frame, address.state.unit)
    });
    this.saving = new Saving(run, this.curves);
    this.controls.root.append(this.saving.root);
    this.legend = new Legend({
      onRemove: (run) => address.set({with: toggled(address.state.with, run)}),
      onDifference: (difference) => moves.subtract(difference)
    });
    this.modes = new Modes(run);
    this.samples = new Samples(run, {
      onPick: (step) => moves.pin(step),
      onHold: (beside) => address.set({beside}),
      onShow: () => this.showModes()
    });
    this.alerts = new Alerts({
      onSelect: onAlert,
      onChange: (alert) => this.feed.receive("alert", alert)
    });
    this.evidence = new Evidence(run, this.feed, {
      onOpen: (id) => address.set({evidence: id}),
      onShow: (alert) => moves.show(alert)
    });
    this.details = new Details({
      onToggle: () => address.set({open: toggled(address.state.open, "config")})
    });
  }

  build() {
    this.notice = h("div");
    const left = h(
      "div",
      {class: "left"},
      this.controls.root,
      this.legend.root,
      this.curves.root,
      this.controls.foldRow,
      this.layers.root,
      this.alerts.root
    );
    const right = h("div", {class: "right"}, this.samples.root, this.modes.root);
    this.content = h("div", {class: "content"}, left, right, this.details.root);
    this.root = h("main", {class: "run-page"});
    this.root.append(this.trust.root, this.head.root, this.notice, this.content);
  }

  start() {
    this.forget = this.address.listen(() => this.update("address"));
    this.feed.start();
    this.update("health");
    this.update("address");
    this.timer = setInterval(() => this.tick(), tickInterval);
  }

  stop() {
    this.comparison.stop();
    this.layers.stop();
    this.feed.stop();
    this.curves.stop();
    this.evidence.stop();
    this.saving.stop();
    clearInterval(this.timer);
    this.forget();
  }

  update(what) {
    if (what === "health") this.judge();
    if (what === "address") this.comparison.choose(this.address.state.with);
    if (["detail", "address"].includes(what)) this.wantSeries();
    if (what === "detail") this.describe();
    if (["series", "detail", "address", "compared"].includes(what)) this.look();
    if (what === "alerts") this.alerts.update(this.feed.alerts);
    if (what === "samples" || what === "address" || what === "detail") this.updateSamples();
    if (["samples", "address", "alerts", "detail"].includes(what)) this.lookInto();
    if (what === "series") this.showModes();
    if (what === "address" || what === "closeup") this.curves.draw();
    else this.curves.drawSoon();
    this.updateTrust();
  }

  judge() {
    const {health} = this.feed.connection;
    const failed = health.state === "error";
    this.notice.replaceChildren(...(failed ? [errorNotice(health, this.run)] : []));
    this.content.hidden = this.head.root.hidden = failed;
    if (failed) this.evidence.close();
    this.onHealth(health);
  }

  describe() {
    this.head.update(this.feed.detail);
    this.stopping.update(this.feed.detail);
    this.title = `${this.run} · ${levelOf(this.feed.detail)}`;
    this.onTitle();
    // now that the curves are asked for: Plotly takes the time that their answer takes
    this.starting ??= this.curves.start().catch((error) => setText(this.notice, error.message));
  }

  wantSeries() {
    const {state} = this.address;
    const {metrics = [], tensor_metrics: tensors = [], status} = this.feed.detail ?? {};
    this.controls.update(state, {...foldsOf(metrics), layers: tensors.length > 0});
    this.layers.update(state.open.includes("layers") ? tensors : [], status === "running");
    this.details.update(this.feed.detail, state.open.includes("config"));
    if (this.feed.detail) this.feed.want(this.panels().flatMap((panel) => panel.metrics));
  }

  look() {
    const {x: axis, range} = this.address.state;
    const metrics = this.panels().flatMap((panel) => panel.metrics);
    if (this.feed.detail) this.feed.look({axis, range, metrics});
    this.comparison.want(this.panelOptions(), {axis, range});
    const {difference} = this.address.state;
    this.legend.update(this.comparison.legend({difference}), difference);
  }

  lookInto() {
    const {evidence, unit} = this.address.state;
    this.evidence.update(evidence, unit);
  }

  updateSamples() {
    const {steps, takes, detail} = this.feed;
    const {step: pinned, beside: held} = this.address.state;
    if (detail) this.samples.update({steps, takes, pinned, held});
  }

  showModes() {
    const {shown} = this.samples;
    const last = lastRow(this.feed.series.get("D"))?.step ?? -1;
    // a batch of points has modes, but no picture
    if (shown !== null) this.modes.show(shown, shown <= last);
    else if (last >= 0) this.modes.show(last, true);
  }

  updateTrust() {
    const {detail, connection} = this.feed;
    this.trust.update({health: connection.health, detail, lastTime: this.feed.lastTime()});
  }

  tick() {
    this.trust.tick();
    this.layers.tick();
    this.alerts.tick();
    this.stopping.tick();
  }

  panelOptions() {
    const {diversity, quality} = this.feed.detail ?? {};
    const known = {ceiling: diversity?.ceiling ?? null, quality: quality?.evaluator ?? null};
    return {...this.address.state, ...known, narrow: innerWidth < narrowWidth};
  }

  // Of the run's own metrics.
  panels() {
    return panelsOf(this.feed.detail?.metrics ?? [], this.panelOptions());
  }

  model() {
    const {detail, alerts, restarts} = this.feed;
    const {comparison} = this;
    const {x: axis, range, smooth: smoothing, step: pinned} = this.address.state;
    const {active} = comparison;
    const difference = active && this.address.state.difference;
    const panels = active ? comparison.panels(this.panelOptions()) : this.panels();
    const series = active ? comparison.series(this.address.state) : this.feed.seen();
    const palette = paletteOf(detail?.metrics ?? []);
    const color = active ? (key) => comparison.color(key) : palette;
    const notes = panels.map((panel) => [panel.key, noteOf(panel, detail, series)]);
    this.curves.plot.setAttribute("aria-label", summaryOf(panels, series));
    const view = {axis, range, smoothing, pinned, difference};
    return {panels, series, ...view, alerts, restarts, color, notes: Object.fromEntries(notes)};
  }

  key(key) {
    return this.moves.press(key);
  }

  redraw() {
    this.curves.draw();
    this.evidence.redraw();
  }
}
