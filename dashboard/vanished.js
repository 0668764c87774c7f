// Which modes were there before a turning point and are gone after it.

import {getJson, runPath} from "./api.js";
import {h, svg} from "./element.js";
import {formatCount, plural} from "./format.js";

const listed = 12; // modes named at first
const size = {width: 300, height: 88}; // viewBox; stretched to the panel

// before, after: as REST gives the histogram of a batch. gone: [{mode, label, count}], most frequent
// first; chance: how many of them other samples of the same distribution would have missed, too.
export function compareModes(before, after) {
  if (before.counts.length !== after.counts.length) {
    const [one, other] = [before, after].map(({counts}) => counts.length);
    throw new Error(`invalid modes: ${one} before, ${other} after`);
  }
  const names = labelsOf(before, after);
  const seen = before.counts.flatMap((count, mode) => (count > 0 ? [mode] : []));
  const gone = seen
    .filter((mode) => after.counts[mode] === 0)
    .map((mode) => ({
      mode,
      label: names.get(mode) ?? `mode ${mode}`,
      count: before.counts[mode]
    }))
    .sort((a, b) => b.count - a.count || a.mode - b.mode);
  const chance = seen.reduce(
    (sum, mode) => sum + (1 - before.counts[mode] / before.n) ** after.n,
    0
  );
  const share = gone.reduce((sum, {count}) => sum + count, 0) / before.n;
  return {seen: seen.length, gone, chance, share};
}

// Of many modes REST names the most over- and under-represented ones only.
function labelsOf(...histograms) {
  const named = histograms.flatMap(({labels, over_represented: over, under_represented: under}) => [
    ...(labels ?? []).map((label, mode) => ({mode, label})),
    ...(over ?? []),
    ...(under ?? [])
  ]);
  return new Map(named.filter(({label}) => label).map(({mode, label}) => [mode, nameOf(label)]));
}

// A label that is a number alone would read as a count.
const nameOf = (label) => (/^\d+$/.test(label) ? `mode ${label}` : label);

export function describeModes({seen, gone, chance, share}) {
  if (gone.length === 0) return `All ${plural(seen, "mode")} seen before came again.`;
  const by = `${Math.round(100 * share)}% of the samples before were of them`;
  const luck = Math.round(chance);
  const usual = luck ? `about ${formatCount(luck)} would be missing by chance` : "none by chance";
  return `${formatCount(gone.length)} of ${plural(seen, "mode")} seen before did not come; ${by}; ${usual}.`;
}

export class Vanished {
  constructor(run, get = getJson) {
    Object.assign(this, {run, get, shown: null});
    this.body = h("div");
    this.root = h(
      "section",
      {class: "gone", "aria-label": "Modes that vanished"},
      h("h3", null, "Modes"),
      this.body
    );
  }

  // moments: as momentsOf gives them
  async show({before, at, after}) {
    const pair = [before, after ?? at];
    const key = String(pair);
    if (key === this.shown) return;
    this.shown = key;
    const drawn = pair.includes(null)
      ? say("Batches from before and after the change are needed.")
      : await this.fetch(pair);
    if (this.shown === key) this.body.replaceChildren(...drawn);
    if (drawn.failed) this.shown = null; // the next change of the page asks again
  }

  async fetch(steps) {
    try {
      const ask = (step) => this.get(runPath(this.run, `/modes/${step}`));
      const [before, after] = await Promise.all(steps.map(ask));
      return drawModes(before, after);
    } catch (error) {
      const text =
        error.status === 404 ? "No histogram of modes for these batches." : error.message;
      return Object.assign(say(text), {failed: true});
    }
  }
}

const say = (text) => [h("p", {class: "note"}, text)];

function drawModes(before, after) {
  const compared = compareModes(before, after);
  const names = compared.gone.length > 0 && [
    h("h4", null, "Vanished, and how often each came before"),
    h("ol", {class: "vanished"}, drawNames(compared.gone))
  ];
  return [h("p", null, describeModes(compared)), drawMirror(before, after), ...(names || [])];
}

function drawNames(gone) {
  const rest = gone.length - listed;
  const drawn = gone
    .slice(0, listed)
    .map(({label, count}) =>
      h("li", null, label, h("span", {class: "unit"}, ` ${formatCount(count)}×`))
    );
  return rest > 0 ? [...drawn, h("li", {class: "note"}, `and ${formatCount(rest)} more`)] : drawn;
}

// Modes in the order of their images before: those above the line, the ones after below it, on one
// scale.
function drawMirror(before, after) {
  const order = before.counts.map((_, i) => i);
  order.sort((a, b) => before.counts[b] - before.counts[a] || after.counts[b] - after.counts[a]);
  const [above, below] = [before, after].map(({counts, n}) =>
    order.map((mode) => counts[mode] / n)
  );
  const highest = Math.max(...above);
  const scale = size.height / (highest + Math.max(...below) || 1);
  const middle = highest * scale;
  const label =
    "Share of each mode, most frequent before first: before above the line, after below it";
  return svg(
    "svg",
    {
      class: "mirror",
      viewBox: `0 0 ${size.width} ${size.height}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label
    },
    svg("title", null, label),
    svg("path", {class: "above", d: barsOf(above, middle, -scale)}),
    svg("path", {class: "below", d: barsOf(below, middle, scale)}),
    svg("path", {class: "axis", d: `M0,${middle}H${size.width}`})
  );
}

function barsOf(shares, middle, scale) {
  const width = size.width / shares.length;
  const bars = shares.map((share, i) => `V${middle + share * scale}H${(i + 1) * width}`).join("");
  return `M0,${middle}${bars}V${middle}Z`;
}
