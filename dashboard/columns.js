// The rows of one metric as columns of equal length, steps ascending: the shape of REST and events.

const names = ["step", "epoch", "time", "value", "stderr", "n", "status"];

export const emptyColumns = () => Object.fromEntries(names.map((name) => [name, []]));

export const lastRow = (columns) => rowAt(columns, columns.step.length - 1);

export function rowAt(columns, index) {
  if (index < 0 || index >= columns.step.length) return null;
  return Object.fromEntries(names.map((name) => [name, columns[name][index] ?? null]));
}

// Those with the most rows, whose x axes convert into each other best; null where none has a row.
export function longestOf(each) {
  let longest = null;
  for (const columns of each) {
    if (columns.step.length > (longest?.step.length ?? 0)) longest = columns;
  }
  return longest;
}

// First index whose value is not below x, in an ascending array.
export function lowerBound(sorted, x) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

// First index whose value is above x.
export function upperBound(sorted, x) {
  let index = lowerBound(sorted, x);
  while (index < sorted.length && sorted[index] === x) ++index;
  return index;
}

export function nearestIndex(sorted, x) {
  const right = lowerBound(sorted, x);
  if (right === 0 || right === sorted.length) return Math.min(right, sorted.length - 1);
  return x - sorted[right - 1] <= sorted[right] - x ? right - 1 : right;
}

// Adds rows in place. A resumed run goes back in step: its newer rows hide the older ones from
// their first step on. Workers also finish out of order, and such a late row must hide nothing.
// The trainer's clock tells the two apart. Returns whether rows were hidden.
export function mergeRows(held, incoming) {
  let resumed = false;
  for (let i = 0; i < incoming.step.length; ++i) {
    const at = lowerBound(held.step, incoming.step[i]);
    if (at === held.step.length) insert(held, at, 0, incoming, i);
    else resumed = mergeInside(held, at, incoming, i) || resumed;
  }
  return resumed;
}

function mergeInside(held, at, incoming, i) {
  const time = incoming.time[i];
  const same = held.step[at] === incoming.step[i];
  const resumed = held.time[at] < time;
  if (resumed) insert(held, at, held.step.length - at, incoming, i);
  else if (same && held.time[at] === time) insert(held, at, 1, incoming, i);
  else if (!same && !(at > 0 && held.time[at - 1] > time)) insert(held, at, 0, incoming, i);
  return resumed;
}

function insert(held, at, hidden, incoming, i) {
  for (const name of names) held[name].splice(at, hidden, incoming[name]?.[i] ?? null);
}

// The rows from step `from` to step `to` in place of the coarser ones of the same stretch.
export function joinRows(coarse, fine, from, to) {
  const [left, right] = [lowerBound(coarse.step, from), upperBound(coarse.step, to)];
  const [first, end] = [lowerBound(fine.step, from), upperBound(fine.step, to)];
  const join = (name) => [
    ...coarse[name].slice(0, left),
    ...fine[name].slice(first, end),
    ...coarse[name].slice(right)
  ];
  return Object.fromEntries(names.map((name) => [name, join(name)]));
}

// x of every row on the axis shown; a run that never said its epoch has no such axis.
export function xOf(columns, axis) {
  if (axis !== "step" && axis !== "epoch" && axis !== "time") throw new Error(`invalid x: ${axis}`);
  return columns[axis];
}

// Where a value of one axis lies on another, linear between the rows.
export function convertX(columns, from, to, x) {
  const source = xOf(columns, from);
  const target = xOf(columns, to);
  if (source.length === 0) return null;
  const right = Math.min(Math.max(lowerBound(source, x), 1), source.length - 1);
  const left = Math.max(0, right - 1);
  if (target[left] == null || target[right] == null) return null;
  const span = source[right] - source[left];
  const share = span > 0 ? (x - source[left]) / span : 0;
  return target[left] + share * (target[right] - target[left]);
}
