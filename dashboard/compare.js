// Other runs laid over this one. Each line has a key that names its run and its metric; a panel
// holds one metric, a colour is a run. As a difference the page's own run is taken from the others.

import {differenceOf, differencePanel, labelOf} from "./difference.js";
import {RunFeed} from "./feed.js";
import {keyOf, panelsOf, runAndMetric} from "./panels.js";
import {Polling} from "./polling.js";

export const mostRuns = 6; // as many as there are colours that all eyes tell apart
const colors = ["--blue", "--vermillion", "--green", "--purple", "--orange", "--sky"];

export class Comparison {
  // feed: of the page's own run, which comes first. onChange() when another run has something new
  constructor(run, feed, onChange, makeFeed = feedOf) {
    Object.assign(this, {run, onChange, makeFeed});
    this.feeds = new Map([[run, feed]]);
  }

  get active() {
    return this.feeds.size > 1;
  }

  // Follows the address: runs are those beside the page's own.
  choose(runs) {
    const wanted = [this.run, ...runs.filter((run) => run !== this.run)].slice(0, mostRuns);
    for (const [run, feed] of this.feeds) {
      if (wanted.includes(run)) continue;
      feed.stop();
      this.feeds.delete(run);
    }
    for (const run of wanted) {
      if (this.feeds.has(run)) continue;
      this.feeds.set(run, this.makeFeed(run, this.onChange));
      this.feeds.get(run).start();
    }
  }

  stop() {
    this.choose([]);
  }

  // Asks for what the other runs have of it, as the page does for its own.
  want(options, view) {
    for (const [run, feed] of this.feeds) {
      if (run === this.run || !feed.detail) continue;
      const metrics = panelsOf(feed.detail.metrics, options).flatMap((panel) => panel.metrics);
      feed.want(metrics);
      feed.look({...view, metrics});
    }
  }

  // One panel for each metric that any of the runs has; as a difference, that the own run has, too.
  panels(options) {
    const {difference, x: axis} = options;
    const all = [...this.feeds].flatMap(([run, {detail}]) =>
      (detail?.metrics ?? []).map((metric) => [run, metric])
    );
    const own = new Set(this.feeds.get(this.run).detail?.metrics);
    const shown = difference ? all.filter(([run, m]) => run !== this.run && own.has(m)) : all;
    const name = difference ? (run) => labelOf(run, this.run) : (run) => run;
    const metrics = [...new Set(shown.map(([, metric]) => metric))];
    return panelsOf(metrics, options).flatMap((panel) =>
      panel.metrics.map((metric) => ({
        ...(difference ? differencePanel(panel, axis) : panel),
        ...(panel.symbol === panel.title ? {title: metric} : {}),
        key: metric,
        symbol: metric,
        metrics: shown.filter((each) => each[1] === metric).map(([run]) => keyOf(name(run), metric))
      }))
    );
  }

  // The series of all runs by key, for one drawing.
  series({difference, x: axis} = {}) {
    const byRun = new Map([...this.feeds].map(([run, feed]) => [run, feed.seen()]));
    const longest = () =>
      [...byRun.values()].reduce((found, series) => found ?? series.longest(), null);
    return {...(difference ? this.differences(byRun, axis) : laidOver(byRun)), longest};
  }

  differences(byRun, axis) {
    const base = byRun.get(this.run);
    const made = new Map();
    const split = (key) => {
      const [label, metric] = runAndMetric(key);
      return [byRun.get(this.runOf(label)), metric];
    };
    const get = (key) => {
      const [other, metric] = split(key);
      if (!made.has(key)) made.set(key, differenceOf(other.get(metric), base.get(metric), axis));
      return made.get(key);
    };
    const has = (key) => {
      const [other, metric] = split(key);
      return other.has(metric) && base.has(metric);
    };
    return {get, has};
  }

  // label: a run, or the difference of one
  runOf(label) {
    if (this.feeds.has(label)) return label;
    return [...this.feeds.keys()].find((run) => labelOf(run, this.run) === label);
  }

  color(key) {
    return this.colorOf(this.runOf(runAndMetric(key)[0]));
  }

  colorOf(run) {
    return colors[[...this.feeds.keys()].indexOf(run)];
  }

  // For the legend: [{run, color, note}], the page's own first.
  legend({difference} = {}) {
    return [...this.feeds].map(([run, {detail, connection}]) => {
      const failed = connection.health?.state === "error" && connection.health.message;
      const note = failed || (detail?.status ?? "loading");
      const taken = difference && run === this.run;
      return {run, color: this.colorOf(run), note: taken ? `${note} · subtracted` : note};
    });
  }
}

function laidOver(byRun) {
  const ask = (what) => (key) => {
    const [run, metric] = runAndMetric(key);
    return byRun.get(run)[what](metric);
  };
  return {get: ask("get"), has: ask("has")};
}

const feedOf = (run, onChange) => {
  const live = () => feed.detail?.status === "running";
  const feed = new RunFeed(run, onChange, {connect: (options) => new Polling(options, live)});
  return feed;
};
