// What is shown, as the address says it: a link reproduces the view.

import {orders} from "./order.js";
import {smoothings} from "./smoothing.js";

const defaults = {
  x: "step", // step, epoch or time
  unit: "rad", // of S: rad or deg
  smooth: 0, // % of what is in view
  open: [], // what is unfolded
  evidence: null, // the turning point, by its alert's id, that is looked into
  step: null, // the pinned image grid; null is the newest
  beside: null, // the step whose image grid is held beside it
  range: null, // [from, to] in units of x; null follows the live edge
  difference: false, // of the compared runs to this one, instead of all laid over each other
  with: [], // runs that are compared; in the list those that are chosen
  filter: "", // of the list of runs
  sort: "newest" // the list of runs
};
const axes = ["step", "epoch", "time"];
const sharedAxes = ["step", "epoch"]; // on which two runs can be taken from each other
const units = ["rad", "deg"];
const sections = ["epoch", "companions", "scalars", "layers", "config"];
const writeDelay = 200; // ms; Safari refuses more than 100 changes of the address in 10 s

// An address may come from a person or an older version: what is not understood is the default.
export function parseAddress(search) {
  const query = new URLSearchParams(search);
  const range = (query.get("range") ?? "").split("..").map(readNumber);
  const others = [...new Set(query.getAll("with"))].filter(Boolean);
  const difference = query.get("difference") === "1" && others.length > 0;
  return {
    x: oneOf(difference ? sharedAxes : axes, query.get("x"), defaults.x),
    unit: oneOf(units, query.get("unit"), defaults.unit),
    smooth: oneOf(smoothings, readNumber(query.get("smooth")), defaults.smooth),
    open: (query.get("open") ?? "").split(",").filter((name) => sections.includes(name)),
    step: readStep(query.get("step")),
    beside: readStep(query.get("beside")),
    evidence: query.get("evidence") || defaults.evidence,
    range: range.length === 2 && range[0] < range[1] ? range : defaults.range,
    difference,
    with: others,
    filter: query.get("filter") ?? defaults.filter,
    sort: oneOf(orders, query.get("sort"), defaults.sort)
  };
}

// NaN, which no comparison passes, for anything but a finite number.
const readNumber = (text) => (/^-?[\d.]+(e[+-]?\d+)?$/.test(text ?? "") ? Number(text) : NaN);

function readStep(text) {
  const step = readNumber(text);
  return Number.isSafeInteger(step) && step >= 0 ? step : null;
}

const oneOf = (allowed, value, fallback) => (allowed.includes(value) ? value : fallback);

// Only what differs from the default, so that a plain view has a plain address.
export function formatAddress(state) {
  if (!axes.includes(state.x)) throw new Error(`invalid x: ${state.x}`);
  if (!units.includes(state.unit)) throw new Error(`invalid unit: ${state.unit}`);
  const query = new URLSearchParams();
  if (state.x !== defaults.x) query.set("x", state.x);
  if (state.unit !== defaults.unit) query.set("unit", state.unit);
  if (state.smooth) query.set("smooth", state.smooth);
  if (state.open.length) query.set("open", state.open.join(","));
  if (state.step != null) query.set("step", state.step);
  if (state.beside != null) query.set("beside", state.beside);
  if (state.evidence) query.set("evidence", state.evidence);
  if (state.range) query.set("range", shortRange(state.range));
  if (state.difference && state.with.length) query.set("difference", 1);
  for (const run of state.with) query.append("with", run);
  if (state.filter) query.set("filter", state.filter);
  if (state.sort !== defaults.sort) query.set("sort", state.sort);
  const text = query.toString().replaceAll("%2C", ",");
  return text ? `?${text}` : "";
}

// To a thousandth of what is in view, which no eye can tell.
function shortRange([from, to]) {
  const decimals = Math.min(12, Math.max(0, 3 - Math.floor(Math.log10(to - from))));
  return [from, to].map((edge) => Number(edge.toFixed(decimals))).join("..");
}

export const toggled = (list, name) =>
  list.includes(name) ? list.filter((other) => other !== name) : [...list, name];

export class Address {
  constructor({location, history, later = setTimeout, cancel = clearTimeout}) {
    Object.assign(this, {location, history, listeners: new Set(), timer: null});
    this.later = (...args) => later(...args); // a browser's timers do not want this as their this
    this.cancel = (timer) => cancel(timer);
    this.state = parseAddress(location.search);
  }

  set(change) {
    this.state = {...this.state, ...change};
    this.timer ??= this.later(() => this.write(), writeDelay);
    this.tell(change);
  }

  write() {
    this.cancel(this.timer);
    this.timer = null;
    this.history.replaceState(null, "", this.location.pathname + formatAddress(this.state));
  }

  // After the browser went back or forward, or to another run.
  read() {
    this.cancel(this.timer);
    this.timer = null;
    this.state = parseAddress(this.location.search);
    this.tell(this.state);
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell(change) {
    for (const listener of this.listeners) listener(this.state, change);
  }
}
