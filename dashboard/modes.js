// The mode histogram of one batch: how often each mode came, against how often it should have.

import {getJson, runPath} from "./api.js";
import {h, svg} from "./element.js";
import {formatCount, formatNumber} from "./format.js";

const delay = 150; // ms the step has to rest before its histogram is fetched
const listed = 5; // modes at each end
const size = {width: 300, height: 72}; // viewBox; stretched to the panel

// Counts from the most frequent mode to the rarest, with what was expected of each, as runs of
// equal pairs: ten thousand modes are a few dozen runs.
export function rankModes(counts, expected) {
  if (counts.length !== expected.length) {
    throw new Error(`invalid modes: ${counts.length} counts, ${expected.length} expected`);
  }
  const order = counts.map((_, i) => i).sort((a, b) => counts[b] - counts[a] || a - b);
  const runs = [];
  for (const i of order) {
    const last = runs.at(-1);
    if (last && last.count === counts[i] && last.expected === expected[i]) last.modes += 1;
    else runs.push({count: counts[i], expected: expected[i], modes: 1});
  }
  return runs;
}

export class Modes {
  constructor(run) {
    this.run = run;
    this.body = h("div");
    this.caption = h("span", {class: "caption"});
    this.root = h(
      "section",
      {class: "modes", "aria-label": "Modes"},
      h("header", null, h("h2", null, "Modes"), this.caption),
      this.body
    );
    this.say("The histogram comes with D.");
  }

  // ready: the D of that step is there, and its histogram with it.
  show(step, ready) {
    if (step === this.step && ready === this.ready) return;
    Object.assign(this, {step, ready});
    clearTimeout(this.timer);
    if (ready) this.timer = setTimeout(() => this.fetch(step), delay);
    else this.say("The histogram comes with D.");
  }

  async fetch(step) {
    try {
      const modes = await getJson(runPath(this.run, `/modes/${step}`));
      if (step === this.step) this.draw(modes);
    } catch (error) {
      if (step !== this.step) return;
      const gone = error.status === 404;
      this.say(gone ? `No histogram for step ${formatCount(step)}.` : error.message);
      if (!gone) this.step = undefined; // asked for again with the next points, or the next load
    }
  }

  say(text) {
    this.caption.textContent = "";
    this.body.replaceChildren(h("p", {class: "note"}, text));
  }

  draw(modes) {
    const unseen = modes.counts.filter((count) => count === 0).length;
    const total = modes.counts.length;
    const share = `${formatCount(unseen)} of ${formatCount(total)} unseen`;
    this.caption.textContent = `${share} · n = ${formatCount(modes.n)}`;
    this.body.replaceChildren(
      drawHistogram(rankModes(modes.counts, modes.expected)),
      h(
        "div",
        {class: "mode-lists"},
        drawList("Over-represented", modes.over_represented ?? []),
        drawList("Under-represented", modes.under_represented ?? [])
      )
    );
  }
}

function drawHistogram(runs) {
  const total = runs.reduce((sum, run) => sum + run.modes, 0);
  const top = Math.max(1, ...runs.map((run) => Math.max(run.count, run.expected)));
  const y = (value) => size.height * (1 - value / top);
  let bars = `M0,${size.height}`;
  let line = "";
  let from = 0;
  for (const run of runs) {
    const to = from + (run.modes / total) * size.width;
    bars += `L${from},${y(run.count)}L${to},${y(run.count)}`;
    line += `${line ? "L" : "M"}${from},${y(run.expected)}L${to},${y(run.expected)}`;
    from = to;
  }
  const order = `Images per mode, most frequent first, at most ${formatCount(top)}`;
  const label = `${order}; the line is what was expected`;
  return svg(
    "svg",
    {
      class: "histogram",
      viewBox: `0 0 ${size.width} ${size.height}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label
    },
    svg("title", null, label),
    svg("path", {class: "bars", d: `${bars}L${size.width},${size.height}Z`}),
    svg("path", {class: "expected", d: line})
  );
}

const drawList = (title, modes) =>
  modes.length > 0 &&
  h("div", null, h("h3", null, title), h("ol", null, modes.slice(0, listed).map(drawMode)));

function drawMode({mode, label, count, expected}) {
  const name = label ?? `mode ${mode}`;
  return h(
    "li",
    {title: `${name}: ${formatCount(count)} images, ${formatNumber(expected)} expected`},
    h("span", null, name),
    h("b", null, formatCount(count)),
    h("span", {class: "unit"}, `vs ${formatNumber(expected)}`)
  );
}
