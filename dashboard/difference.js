// What one run has more than another, row by row on a shared axis.

import {emptyColumns, lowerBound, rowAt, xOf} from "./columns.js";
import {flawOf} from "./reading.js";

export const labelOf = (run, base) => `${run} − ${base}`;

// The rows of `other` minus `base`, which is linear between its rows; only where both have some.
// What cannot be trusted in either is not in the difference.
export function differenceOf(other, base, axis) {
  const rows = emptyColumns();
  const x = xOf(other, axis);
  const at = xOf(base, axis);
  if (at.length === 0 || at.includes(null)) return rows;
  for (let i = 0; i < x.length; ++i) {
    if (x[i] === null || x[i] < at[0] || x[i] > at.at(-1)) continue;
    const row = subtract(rowAt(other, i), ...neighbours(base, at, x[i]));
    for (const name of Object.keys(rows)) rows[name].push(row[name]);
  }
  return rows;
}

// [left, right, share of the way between them]
function neighbours(base, at, x) {
  const right = lowerBound(at, x);
  if (at[right] === x) return [rowAt(base, right), rowAt(base, right), 0];
  const share = (x - at[right - 1]) / (at[right] - at[right - 1]);
  return [rowAt(base, right - 1), rowAt(base, right), share];
}

function subtract(row, left, right, share) {
  const bad = [row, left, right].find(({status, value}) => flawOf({}, status, value));
  if (bad) return {...row, value: null, stderr: null, status: flawOf({}, bad.status, bad.value)};
  const between = (name) => left[name] + share * (right[name] - left[name]);
  const errors = [row.stderr, left.stderr, right.stderr];
  const stderr = errors.includes(null) ? null : Math.hypot(row.stderr, between("stderr"));
  return {...row, value: row.value - between("value"), stderr};
}

// The panel of a metric as that of its difference, on a scale around zero.
export const differencePanel = (panel, axis) => ({
  ...panel,
  title: panel.title === panel.symbol ? panel.title : `${panel.title} difference`,
  unit: panel.unit === "0 … 1" ? "−1 … 1" : panel.unit,
  ...{scale: "linear", range: null, floor: null, ceiling: null, zero: true},
  empty: `no ${axis} in common`
});
