// What a key, a click or a drag does on the page of a run: each move is a change of the address.

import {getJson, pagePath} from "./api.js";
import {placed} from "./evidence.js";
import {formatAddress} from "./state.js";
import {convertView, scaleView, viewAround} from "./view.js";

const zoomFactor = 2;

export class Moves {
  // page: {run, address, feed, samples, curves, onGo}
  constructor(page) {
    this.page = page;
    this.keys = {
      f: () => this.follow(),
      d: () => this.subtract(!page.address.state.difference),
      e: () => this.lookIntoNewest(),
      s: () => page.samples.toggleHold(),
      ArrowLeft: () => page.samples.go(-1),
      ArrowRight: () => page.samples.go(1),
      "+": () => this.zoomBy(1 / zoomFactor),
      "=": () => this.zoomBy(1 / zoomFactor), // the same key without shift
      "-": () => this.zoomBy(zoomFactor),
      j: () => this.go(1).catch(() => {}), // without an answer it stays on this run
      k: () => this.go(-1).catch(() => {})
    };
  }

  // Returns whether the key means something here.
  press(key) {
    if (!Object.hasOwn(this.keys, key)) return false;
    this.keys[key]();
    return true;
  }

  follow() {
    this.page.address.set({range: null, step: null});
  }

  zoomTo(range) {
    this.page.address.set({range});
  }

  zoomBy(factor) {
    const {frame} = this.page.curves;
    if (frame) this.zoomTo(scaleView(frame, factor));
  }

  pin(step) {
    this.page.address.set({step: step === null ? null : this.page.samples.nearest(step)});
  }

  // The same part of the run stays in view on the new axis.
  setAxis(x) {
    const {address, feed} = this.page;
    const range = convertView(feed.series.longest(), address.state.x, x, address.state.range);
    address.set({x, range});
  }

  // The compared runs minus this one, on an axis that they share.
  subtract(difference) {
    const {address} = this.page;
    if (address.state.with.length === 0) return;
    if (difference && address.state.x === "time") this.setAxis("step");
    address.set({difference});
  }

  lookInto({id}) {
    this.page.address.set({evidence: id});
  }

  lookIntoNewest() {
    const newest = placed(this.page.feed.alerts).at(-1);
    if (newest) this.lookInto(newest);
  }

  // On the curves of the page.
  show(alert) {
    const {address, feed, samples, curves} = this.page;
    const longest = feed.series.longest();
    if (!longest) return address.set({evidence: null});
    const range = viewAround(alert, longest, address.state.x);
    address.set({range, step: samples.nearest(alert.step), evidence: null});
    curves.root.scrollIntoView({block: "nearest"});
  }

  async go(by) {
    const {run, address, onGo} = this.page;
    const ids = (await getJson("/api/runs")).map(({id}) => id);
    const next = ids[ids.indexOf(run) + by];
    const view = formatAddress({...address.state, range: null, step: null, beside: null, evidence: null});
    if (next !== undefined) onGo(pagePath(next) + view);
  }
}
