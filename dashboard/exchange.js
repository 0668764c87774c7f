// One line to the server for all tabs of a browser, which allows six connections: each tab says
// which run it shows, and hears of it as if the line were its own.

import {sharedPath} from "./api.js";
import {Stream} from "./stream.js";

const gather = 20; // ms; a tab that goes and one that comes are one change
const beat = 5000; // ms between two signs of life
const mostRuns = 64; // that the server takes on a line

export class Exchange {
  constructor(env) {
    Object.assign(this, {env, open: false});
    this.tabs = new Map(); // port -> {run, fresh}: null is the list; fresh before it was told so
    this.places = new Map(); // run -> id of its last event, "" before the first
    this.asked = []; // runs of the open line, in the order of its ids
    this.stream = new Stream(
      () => this.path(),
      {
        onEvent: (type, data, id) => this.hear(type, data, id),
        onFresh: (id) => id && this.tell(this.move(id), {fresh: true}),
        onState: (open) => open || this.cut()
      },
      env
    );
  }

  // What a tab says: {open: run} or {close: true}.
  receive(port, {open, close}) {
    const again = this.tabs.has(port);
    if (close) this.tabs.delete(port);
    else this.tabs.set(port, {run: open, fresh: true});
    // a second tab of a run needs no other line, one that asks again does not trust this one
    if (!close && !again && this.open && this.asked.includes(open)) return this.greet();
    this.timer ??= this.env.setTimeout(() => this.change(), gather);
  }

  change() {
    this.timer = null;
    const runs = new Set([...this.tabs.values()].map(({run}) => run));
    for (const run of this.places.keys()) if (!runs.has(run)) this.places.delete(run);
    this.stream.close();
    if (runs.size === 0) this.open = false;
    else this.stream.open();
  }

  // The list comes first, as in the ids of the line.
  path() {
    const runs = new Set([...this.tabs.values()].map(({run}) => run));
    const named = [...runs].filter((run) => run !== null);
    this.asked = [...(runs.has(null) ? [null] : []), ...named.slice(0, mostRuns)];
    return sharedPath(
      this.asked,
      this.asked.map((run) => this.places.get(run) ?? "")
    );
  }

  hear(type, data, id) {
    if (type === "start") return this.begin(id);
    this.tell(this.move(id), {type, data});
  }

  begin(id) {
    const places = id.split(":")[1].split(",");
    this.asked.forEach((run, i) => this.places.set(run, places[i]));
    this.open = true;
    this.greet();
  }

  // An id says which run spoke, and how far each has come.
  move(id) {
    const [number, places] = id.split(":");
    const run = this.asked[number];
    this.places.set(run, places.split(",")[number]);
    return run;
  }

  greet() {
    for (const [port, tab] of this.tabs) {
      if (!this.asked.includes(tab.run)) continue;
      port.postMessage({open: true});
      if (tab.fresh) port.postMessage({fresh: true});
      tab.fresh = false;
    }
  }

  cut() {
    this.open = false;
    for (const port of this.tabs.keys()) port.postMessage({open: false});
  }

  tell(run, message) {
    for (const [port, tab] of this.tabs) if (tab.run === run) port.postMessage(message);
  }

  live() {
    for (const port of this.tabs.keys()) port.postMessage({});
    this.env.setTimeout(() => this.live(), beat);
  }
}
