// Which metrics stand in which panel, in the order people look: S, Q, D, then what they unfold.

import {qualityText} from "./evaluator.js";
import {networkOf} from "./palette.js";

const main = {
  S: {title: "Stability", symbol: "S", help: "angle between consecutive weights", height: 184},
  Q: {title: "Quality", symbol: "Q", height: 112},
  D: {title: "Diversity", symbol: "D", help: "James–Stein entropy over the modes", height: 140}
};
const separator = "\0"; // between run and metric, in no name of either
const extraHeight = 104; // px
const narrowShare = 0.82; // of each height on a phone

// open: the names of the unfolded groups. ceiling: ln m in nats, null before the first D. quality:
// what computes Q, as the worker says it.
export function panelsOf(metrics, options = {}) {
  const {open = [], unit = "rad", ceiling = null, narrow = false, quality = null} = options;
  const pick = (pattern) => metrics.filter((metric) => pattern.test(metric)).sort(byNetwork);
  const panels = [
    {key: "S", ...main.S, unit, scale: "log", metrics: pick(/^S\.(?!.*@epoch$)/)},
    {
      key: "Q",
      ...main.Q,
      help: qualityText(quality),
      unit: "0 … 1",
      scale: "linear",
      range: [0, 1],
      metrics: pick(/^Q$/)
    },
    {key: "D", ...main.D, unit: "nats", scale: "linear", floor: 0, ceiling, metrics: pick(/^D$/)}
  ];
  if (open.includes("epoch")) panels.splice(1, 0, epochPanel(pick(/^S\..*@epoch$/), unit));
  if (open.includes("companions")) panels.push(...pick(/^[QD]\./).map(companion));
  if (open.includes("scalars")) panels.push(...scalarPanels(pick(/^(?![QD](\.|$)|S\.)/)));
  return narrow
    ? panels.map((panel) => ({...panel, height: Math.round(panel.height * narrowShare)}))
    : panels;
}

// Which groups have something to unfold.
export const foldsOf = (metrics) => ({
  epoch: metrics.some((metric) => /^S\..*@epoch$/.test(metric)),
  companions: metrics.some((metric) => /^[QD]\./.test(metric)),
  scalars: metrics.some((metric) => /^(?![QD](\.|$)|S\.)/.test(metric))
});

const names = new Intl.Collator("en", {numeric: true}); // layer 2 before layer 10

// G before D, the others by name.
export function byNetwork(a, b) {
  const rank = (metric) => ["G", "D"].indexOf(networkOf(metric)?.split("/")[0]) >>> 0;
  return rank(a) - rank(b) || names.compare(a, b);
}

// "S.G/main.0.weight" -> "G/main.0.weight"
export const tensorOf = (metric) => metric.slice("S.".length);

const epochPanel = (metrics, unit) => ({
  key: "S@epoch",
  title: "Stability per epoch",
  symbol: "S@epoch",
  help: "angle between the last weights of consecutive epochs",
  height: extraHeight,
  unit,
  scale: "log",
  metrics
});

const companion = (metric) => ({
  key: metric,
  title: metric,
  symbol: metric,
  help: "",
  height: extraHeight,
  unit: "",
  scale: "linear",
  metrics: [metric]
});

// loss.G and loss.D share a panel, as every two names with the same first part.
function scalarPanels(metrics) {
  const groups = new Map();
  for (const metric of metrics) {
    const group = /^([^./]+)[./]/.exec(metric)?.[1] ?? metric;
    groups.set(group, [...(groups.get(group) ?? []), metric]);
  }
  return [...groups].map(([group, names]) => ({...companion(group), metrics: names}));
}

// Where runs are compared, a line is known by both; elsewhere by its metric alone.
export const keyOf = (run, metric) => `${run}${separator}${metric}`;

export const runAndMetric = (key) => (key.includes(separator) ? key.split(separator) : [null, key]);

export const comparesRuns = ({metrics}) => metrics.some((key) => runAndMetric(key)[0] !== null);

// What is written beside a line: its panel already names the rest.
export function lineName(key, panel) {
  const [run, metric] = runAndMetric(key);
  if (run !== null) return run;
  const name = metric.replace(/@epoch$/, "");
  const group = panel.key.replace(/@epoch$/, "");
  return /^[./]./.test(name.slice(group.length)) && name.startsWith(group)
    ? name.slice(group.length + 1)
    : name;
}
