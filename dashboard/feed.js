// Everything the page knows about one run, kept up to date by one connection.

import {getJson, runPath, seriesPath} from "./api.js";
import {Closeup} from "./closeup.js";
import {Connection} from "./connection.js";
import {restartsOf} from "./restarts.js";
import {SeriesStore} from "./series.js";

export class RunFeed {
  // onChange(what): what is "health", "detail", "series", "closeup", "samples" or "alerts"
  constructor(run, onChange, {get = getJson, connect = (options) => new Connection(options)} = {}) {
    Object.assign(this, {run, onChange, get});
    this.detail = null;
    this.alerts = [];
    this.restarts = [];
    this.steps = []; // that have an image grid, ascending
    this.takes = new Map(); // how often a grid of each step came by event
    this.wanted = []; // metrics that are shown
    this.heard = new Set(); // metrics that came by event
    this.complete = false; // alerts and steps are known
    this.arrived = null; // alerts and steps that came by event while they were fetched
    this.series = new SeriesStore(
      (metrics, points) => get(seriesPath(run, metrics, points)),
      () => onChange("series")
    );
    this.closeup = new Closeup(
      (metrics, points, stretch, signal) =>
        get(seriesPath(run, metrics, points, stretch), {signal}),
      onChange
    );
    this.connection = connect({
      run,
      poll: () => this.poll(),
      load: (missedUntil) => this.load(missedUntil),
      onEvent: (type, data) => this.receive(type, data),
      onHealth: () => onChange("health")
    });
  }

  start() {
    this.connection.start();
  }

  stop() {
    this.connection.stop();
    this.closeup.drop();
  }

  async poll() {
    this.detail = await this.get(runPath(this.run));
    const restarts = restartsOf(this.detail.segments ?? [], this.detail.remeasured);
    // what a process hides whose clock is behind, only the server knows
    if (JSON.stringify(restarts) !== JSON.stringify(this.restarts)) this.connection.refresh();
    this.restarts = restarts;
    this.onChange("detail");
  }

  async load(missedUntil) {
    const arrived = (this.arrived = {alerts: [], steps: [], gone: []});
    const [alerts, steps] = await Promise.all([
      this.get(runPath(this.run, "/alerts")),
      this.get(runPath(this.run, "/samples")),
      this.series.reset(missedUntil),
      this.closeup.reset()
    ]);
    await this.series.want(this.wanted);
    this.arrived = null;
    this.alerts = mergeAlerts(alerts, arrived.alerts);
    this.steps = without(mergeSteps(steps, arrived.steps), arrived.gone);
    this.complete = true;
    this.onChange("alerts");
    this.onChange("samples");
  }

  // The metrics to show from now on; what fails is tried again with the next load.
  async want(metrics) {
    this.wanted = metrics;
    try {
      await this.series.want(metrics);
    } catch {
      this.connection.refresh();
    }
  }

  // What is in view, as {axis, range, metrics}: its stretch comes at full resolution.
  look(view) {
    this.closeup.show(view, this.series.longest());
  }

  // The series as they are drawn now.
  seen() {
    return this.closeup.over(this.series);
  }

  receive(type, data) {
    if (type === "points") return this.receivePoints(data.series ?? {}, data.samples ?? []);
    if (type === "thinned") return this.receiveThinned(data.samples ?? []);
    if (type === "alert") {
      this.arrived?.alerts.push(data);
      this.alerts = mergeAlerts(this.alerts, [data]);
      this.onChange("alerts");
    }
    if (type === "stop") this.setStop(data.stop);
    this.connection.beat(); // the description of the run has changed with it
  }

  // What is asked of the trainer, as the server just said.
  setStop(stop) {
    if (!this.detail) return;
    this.detail = {...this.detail, stop};
    this.onChange("detail");
  }

  receivePoints(series, steps) {
    // what the new rows hide of the other metrics and of the grids, only the server knows
    if (this.series.add(series)) this.connection.refresh();
    this.closeup.add(series);
    this.hear(Object.keys(series));
    if (steps.length === 0) return;
    for (const step of steps) this.takes.set(step, (this.takes.get(step) ?? 0) + 1);
    this.arrived?.steps.push(...steps);
    this.steps = mergeSteps(this.steps, steps);
    this.onChange("samples");
  }

  receiveThinned(steps) {
    this.arrived?.gone.push(...steps);
    this.steps = without(this.steps, steps);
    this.onChange("samples");
  }

  // A metric that the description does not name yet: ask for it once.
  hear(metrics) {
    const known = new Set(this.detail?.metrics);
    const fresh = metrics.filter((name) => !isTensorMetric(name) && !this.heard.has(name));
    for (const name of fresh) this.heard.add(name);
    if (fresh.some((name) => !known.has(name))) this.connection.beat();
  }

  lastTime() {
    const held = this.series.newestTime();
    const said = this.detail?.last_time ?? null;
    return held === null || said === null ? (held ?? said) : Math.max(held, said);
  }
}

const isTensorMetric = (metric) => /^S\.[^/]*\//.test(metric);

const mergeSteps = (a, b) => [...new Set([...a, ...b])].sort((x, y) => x - y);

function mergeAlerts(older, newer) {
  const byId = new Map([...older, ...newer].map((alert) => [alert.id, alert]));
  return [...byId.values()].sort((a, b) => a.time - b.time);
}

function without(steps, gone) {
  const left = new Set(gone);
  return steps.filter((step) => !left.has(step));
}
