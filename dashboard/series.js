// The series a page holds: fetched, then grown by events, without a gap and without a double.

import {emptyColumns, longestOf, mergeRows} from "./columns.js";

const batch = 25; // metrics a request; names of 256 characters still make an address of 8 KB

export class SeriesStore {
  // fetchSeries(metrics, points) -> series as REST gives them
  constructor(fetchSeries, onChange, points = 2000, now = () => performance.now()) {
    Object.assign(this, {fetchSeries, onChange, points, now});
    this.held = new Map(); // metric -> columns
    this.limits = new Map(); // metric -> rows above which it is fetched again, downsampled
    this.loading = new Map(); // metric -> {blocks}: what arrived since the request went out
    this.asked = new Map(); // metric -> when its last request went out
  }

  get(metric) {
    return this.held.get(metric) ?? emptyColumns();
  }

  has(metric) {
    return this.held.has(metric);
  }

  // The metric with the most rows, whose x axes convert into each other best; null without a row.
  longest() {
    return longestOf(this.held.values());
  }

  async want(metrics) {
    await this.fetch(metrics.filter((name) => !this.held.has(name) && !this.loading.has(name)));
  }

  // After a gap in the events that ended at a time: what was asked before comes again; the old rows
  // stay until the new ones are here.
  async reset(ended = Infinity) {
    const all = [...new Set([...this.held.keys(), ...this.loading.keys()])];
    await this.fetch(all.filter((metric) => this.asked.get(metric) < ended));
  }

  async fetch(metrics) {
    const parts = [];
    for (let i = 0; i < metrics.length; i += batch) parts.push(metrics.slice(i, i + batch));
    await Promise.all(parts.map((part) => this.fetchPart(part)));
  }

  async fetchPart(metrics) {
    const request = {blocks: []};
    for (const metric of metrics) {
      this.loading.set(metric, request);
      this.asked.set(metric, this.now());
    }
    let series = null;
    try {
      series = await this.fetchSeries(metrics, this.points);
    } finally {
      for (const metric of metrics) this.settle(metric, request, series);
    }
    this.onChange();
    this.shorten(metrics);
  }

  settle(metric, request, series) {
    if (this.loading.get(metric) !== request) return; // a later request replaces this one
    this.loading.delete(metric);
    if (!series) return void this.asked.set(metric, -Infinity);
    const columns = emptyColumns();
    mergeRows(columns, series[metric] ?? columns);
    this.limits.set(metric, 2 * Math.max(this.points, columns.step.length));
    for (const block of request.blocks) if (block[metric]) mergeRows(columns, block[metric]);
    this.held.set(metric, columns);
  }

  // Of these metrics those with too many rows again: as much as an answer has may come after it.
  async shorten(metrics) {
    const long = metrics.filter(
      (metric) =>
        !this.loading.has(metric) && this.held.get(metric)?.step.length > this.limits.get(metric)
    );
    // without an answer they stay as long as they are and the next block asks again
    if (long.length) await this.fetch(long).catch(() => {});
  }

  // One block of an event; metrics nobody asked for are not kept. Returns whether the run was
  // resumed at an earlier step.
  add(block) {
    for (const request of new Set(this.loading.values())) request.blocks.push(block);
    let resumed = false;
    for (const [metric, rows] of Object.entries(block)) {
      const columns = this.held.get(metric);
      if (!columns) continue;
      resumed = mergeRows(columns, rows) || resumed;
    }
    this.onChange();
    this.shorten(Object.keys(block));
    return resumed;
  }

  newestTime() {
    let newest = null;
    for (const {time} of this.held.values()) {
      if (time.length) newest = Math.max(newest ?? -Infinity, time.at(-1));
    }
    return newest;
  }
}
