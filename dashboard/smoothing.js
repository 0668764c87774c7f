// A mean that moves along a line; the raw line stays behind it.

export const smoothings = [0, 1, 5, 20]; // % of what is in view

// Mean over the points of a line that lie within width of x, centred; null where the line has a
// gap. On a log axis it is the geometric mean, so that a spike does not lift what is around it.
export function smooth(x, y, width, log = false) {
  const at = y.flatMap((value, i) => (value === null || x[i] === null ? [] : [i]));
  const values = at.map((i) => (log ? Math.log(y[i]) : y[i]));
  const smoothed = y.map(() => null);
  let from = 0;
  let to = 0;
  for (const i of at) {
    while (x[at[from]] < x[i] - width / 2) ++from;
    while (to < at.length && x[at[to]] <= x[i] + width / 2) ++to;
    let sum = 0; // afresh: a value of 1e30 that leaves a running sum takes all others with it
    for (let j = from; j < to; ++j) sum += values[j];
    smoothed[i] = log ? Math.exp(sum / (to - from)) : sum / (to - from);
  }
  return smoothed;
}
