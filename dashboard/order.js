// In which order the list shows its runs.

import {levelOf} from "./head.js";

const urgency = ["turned", "warning", "lost", "healthy", "learning", "finished"];
// A level that is not known here comes where something may be wrong.
const rankOf = (summary) => {
  const rank = urgency.indexOf(levelOf(summary));
  return rank < 0 ? urgency.indexOf("lost") : rank;
};

// Of the newest point of any metric, Unix seconds; -Infinity without one.
export const timeOf = ({last_time: last, latest}) =>
  Math.max(last ?? -Infinity, ...Object.values(latest ?? {}).map(({time}) => time));

// Runs without a value come last.
const valueOf = (metric) => (summary) => summary.latest?.[metric]?.value ?? Infinity;

const byNumber = (of) => (a, b) => {
  const [one, other] = [of(a), of(b)];
  return one === other ? 0 : one - other; // Infinity minus itself is none
};

const comparisons = {
  newest: () => 0, // as the server says
  state: byNumber(rankOf),
  name: (a, b) => a.id.localeCompare(b.id, undefined, {numeric: true}),
  latest: byNumber((summary) => -timeOf(summary)),
  Q: byNumber(valueOf("Q")),
  D: byNumber(valueOf("D"))
};

export const orders = Object.keys(comparisons);

// What the page calls them.
export const orderNames = {
  newest: "newest first",
  state: "most urgent first",
  name: "by name",
  latest: "latest point first",
  Q: "lowest Q first",
  D: "lowest D first"
};

// summaries: as REST gives them, newest first; equals stay in that order.
export const ordered = (summaries, order) => [...summaries].sort(comparisons[order]);
