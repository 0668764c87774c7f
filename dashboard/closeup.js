// The stretch in view at full resolution: fetched when a zoom rests, and laid over the whole run.

import {joinRows} from "./columns.js";
import {SeriesStore} from "./series.js";
import {convertView} from "./view.js";

const restTime = 50; // ms without another zoom; a key held down asks once
const marginShare = 0.02; // of the view, on each side: epochs and times convert into steps roughly

export class Closeup {
  // fetchSeries(metrics, points, [from, to] in steps, signal) -> series as REST gives them.
  // onChange(what): "closeup" when a stretch came that somebody waits for, "series" when it grew
  constructor(fetchSeries, onChange, {points, later = setTimeout, cancel = clearTimeout} = {}) {
    Object.assign(this, {fetchSeries, onChange, points, key: null, shown: null, coming: null});
    this.later = (...args) => later(...args);
    this.cancel = (timer) => cancel(timer);
  }

  // What is in view; range null for the whole run. longest: rows that convert the axis into steps.
  show({axis, range, metrics}, longest) {
    const key = range && JSON.stringify([axis, range, metrics]);
    if (key === this.key) return;
    const steps = convertView(longest, axis, "step", range);
    if (range && !steps) return; // nothing to convert by: with the first rows
    this.drop();
    this.key = key;
    if (!range) this.shown = null;
    else this.timer = this.later(() => this.fetch(stretchOf(steps), metrics), restTime);
  }

  drop() {
    this.cancel(this.timer);
    this.coming?.abort.abort();
    this.coming = null;
  }

  async fetch([from, to], metrics) {
    const abort = new AbortController();
    const ask = (names, points) => this.fetchSeries(names, points, [from, to], abort.signal);
    const changed = () => this.shown?.store === store && this.onChange("series");
    const store = new SeriesStore(ask, changed, this.points);
    const coming = (this.coming = {from, to, store, abort});
    try {
      await store.want(metrics);
    } catch {
      if (this.coming === coming) this.key = null; // the next change of the page asks again
    }
    if (this.coming !== coming) return;
    this.coming = null;
    if (this.key === null) return;
    this.shown = coming;
    this.onChange("closeup");
  }

  add(block) {
    this.shown?.store.add(block);
    this.coming?.store.add(block);
  }

  // After a gap in the events; without an answer the connection tells.
  async reset() {
    await this.shown?.store.reset().catch(() => {});
  }

  // The series with what is in view at full resolution; holds still, for one drawing.
  over(whole) {
    if (!this.shown) return whole;
    const joined = new Map();
    const get = (metric) => {
      if (!joined.has(metric)) joined.set(metric, this.join(metric, whole.get(metric)));
      return joined.get(metric);
    };
    return {get, has: (metric) => whole.has(metric), longest: () => whole.longest()};
  }

  join(metric, rows) {
    const {from, to, store} = this.shown;
    return store.has(metric) ? joinRows(rows, store.get(metric), from, to) : rows;
  }
}

function stretchOf([from, to]) {
  const margin = marginShare * (to - from) + 1;
  const last = Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(to + margin));
  return [Math.max(0, Math.floor(from - margin)), Math.max(0, last)];
}
