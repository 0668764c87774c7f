// The curves around a turning point, with what was to be expected of each.

import {getJson, seriesPath} from "./api.js";
import {allowance, expectationOf} from "./band.js";
import {Curves} from "./charts.js";
import {nearestIndex, rowAt} from "./columns.js";
import {h, setAttribute, setText} from "./element.js";
import {formatCount, plural} from "./format.js";
import {stretchesOf} from "./moments.js";
import {paletteOf} from "./palette.js";
import {panelsOf} from "./panels.js";
import {SeriesStore} from "./series.js";
import {noteOf, summaryOf} from "./summary.js";

const points = 6000; // of each curve: more of its stretch than the window has pixels
const main = ["S", "Q", "D"];
const heightShare = 0.72; // of the panels of the page
const ignore = () => {};

export class Surroundings {
  // onChange(): points came
  constructor(run, feed, onChange, get = getJson) {
    Object.assign(this, {run, feed, onChange, get, alert: null, unit: "rad"});
    this.series = new SeriesStore(ignore, ignore);
    this.curves = new Curves(() => this.model(), {
      id: "evidence-curves",
      still: true,
      ...{onHover: ignore, onPick: ignore, onFollow: ignore, onDraw: ignore}
    });
    this.method = h("p", {class: "note"});
    this.root = h(
      "section",
      {class: "around", "aria-label": "Curves around it"},
      this.curves.root,
      this.method
    );
  }

  // Also when a batch came: it may be the one after the change.
  show(alert, unit, batches) {
    Object.assign(this, {alert, unit});
    this.starting ??= this.curves.start().catch((error) => this.fail(error));
    const stretches = stretchesOf(alert, batches);
    const key = JSON.stringify([alert.id, stretches]);
    if (key !== this.key) this.fetch(stretches);
    else if (this.grows()) this.series.reset().catch(ignore); // without an answer the page tells
    this.key = key;
    this.curves.drawSoon();
  }

  hide() {
    this.alert = this.key = null;
  }

  stop() {
    this.curves.stop();
  }

  // Whether something new can come into the stretch.
  grows() {
    const {status, last_step: last} = this.feed.detail ?? {};
    const [end, held] = [this.stretches.view[1], this.reached ?? -1];
    this.reached = last;
    return status === "running" && held < end && held !== last;
  }

  fetch(stretches) {
    this.stretches = stretches;
    this.reached = this.feed.detail?.last_step;
    const ask = (metrics, count) => this.get(seriesPath(this.run, metrics, count, stretches.view));
    const series = new SeriesStore(ask, () => series === this.series && this.arrive(), points);
    this.series = series;
    series.want(this.panels().flatMap(({metrics}) => metrics)).catch((error) => this.fail(error));
  }

  arrive() {
    this.curves.drawSoon();
    this.onChange();
  }

  fail(error) {
    this.key = null; // the next batch asks again
    setText(this.method, error.message);
  }

  panels() {
    const {metrics = [], quality} = this.feed.detail ?? {};
    const options = {unit: this.unit, quality: quality?.evaluator};
    return panelsAround(this.alert, metrics, options);
  }

  valueAt(metric, step) {
    const columns = this.series.get(metric);
    const row = rowAt(columns, nearestIndex(columns.step, step));
    return row?.step === step ? row.value : null;
  }

  model() {
    const {alert, series, stretches, feed} = this;
    const panels = alert ? this.panels() : [];
    const expected = new Map();
    for (const panel of panels) {
      for (const metric of panel.metrics) {
        const found = expectationOf(panel, series.get(metric), stretches.calm);
        if (found) expected.set(metric, found);
      }
    }
    setText(this.method, methodOf(expected, stretches?.calm));
    setAttribute(this.curves.plot, "aria-label", summaryOf(panels, series));
    const notes = panels.map((panel) => [panel.key, noteOf(panel, feed.detail, series)]);
    return {
      ...{panels, series, expected, axis: "step", range: stretches?.view ?? null},
      ...{smoothing: 0, pinned: null, color: paletteOf(feed.detail?.metrics ?? [])},
      ...{alerts: alert ? [alert] : [], restarts: alert ? noticedOf(alert) : []},
      notes: Object.fromEntries(notes)
    };
  }
}

// S, Q and D, and what else the alert speaks of. Q and D on the stretch that they take here, not
// from 0: the change is what is looked at.
export function panelsAround({metrics: named}, metrics, options) {
  const all = panelsOf(metrics, {...options, open: ["epoch", "companions", "scalars"]});
  return all
    .filter(({key, metrics: own}) => main.includes(key) || own.some((name) => named.includes(name)))
    .map((panel) => ({
      ...panel,
      ...{range: null, floor: null, height: Math.round(panel.height * heightShare)}
    }));
}

function noticedOf({detected_step: step}) {
  if (step === null) return [];
  return [{step, word: "noticed", sign: "info", text: `Noticed at step ${formatCount(step)}`}];
}

// How the bands came about: they are this page's, not the detector's own numbers.
export function methodOf(expected, calm) {
  if (expected.size === 0) return "Too few points before the change for a band.";
  const [first, end] = calm.map(formatCount);
  const where = `steps ${first} to ${end}`;
  const batches = expected.get("D")?.count ?? expected.get("Q")?.count;
  const from = batches ? `${where} (${plural(batches, "batch", "batches")})` : where;
  return (
    `Shaded: the median of ${from}, ± ${allowance} robust standard deviations (MAD), which the ` +
    "detector lets pass as noise. Made here from the points; the detector's own forecast also " +
    "follows the trend."
  );
}
