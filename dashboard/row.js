// One run in the list.

import {getJson, pagePath, seriesPath} from "./api.js";
import {updateCell} from "./cell.js";
import {h, renderOnChange, setAttribute, setText} from "./element.js";
import {formatAge, formatCount, formatDate, plural} from "./format.js";
import {drawTags, levelOf} from "./head.js";
import {icon, toneOf} from "./icons.js";
import {timeOf} from "./order.js";
import {paletteOf} from "./palette.js";
import {panelsOf} from "./panels.js";
import {SeriesStore} from "./series.js";

const points = 60; // of a sparkline: one for each 1.6 px

export class Row {
  // onChoose(run): the box for comparing was ticked or cleared
  constructor(run, onChoose) {
    this.run = run;
    this.fresh = {}; // newest rows by metric, since the last tick
    this.missedUntil = -Infinity; // events before may be missing
    this.series = new SeriesStore(
      (metrics, n) => getJson(seriesPath(run, metrics, n)),
      () => {},
      points
    );
    this.sign = h("span", {class: "sign"});
    this.box = h("input", {
      type: "checkbox",
      title: "compare",
      "aria-label": `Compare ${run}`,
      onchange: () => onChoose(run)
    });
    this.link = h("a", {href: pagePath(run)}, run);
    this.status = h("span", {class: "caption"});
    this.tags = h("span", {class: "tags"});
    this.verdict = h("p", {class: "verdict"});
    this.cells = ["S", "Q", "D"].map((key) => h("div", {class: `cell cell-${key}`}));
    this.age = h("span");
    this.step = h("span", {class: "caption"});
    this.alerts = h("div", {class: "cell-alerts"});
    this.root = h(
      "li",
      {class: "row"},
      h("div", {class: "cell-sign"}, this.sign, this.box),
      h(
        "div",
        {class: "cell-name"},
        h("h2", null, this.link),
        this.status,
        this.tags,
        this.verdict
      ),
      ...this.cells,
      h("div", {class: "cell-age"}, this.age, this.step),
      this.alerts
    );
    this.root.row = this;
  }

  update(summary) {
    this.summary = summary;
    const {verdict, status, tags, open_alerts: open, last_alert: last} = summary;
    const level = levelOf(summary);
    this.root.className = `row ${toneOf(level)} ${status}`;
    renderOnChange(this.sign, level, () => icon(level));
    setAttribute(this.sign, "title", level);
    setText(this.status, status);
    renderOnChange(this.tags, tags ?? [], drawTags);
    setText(this.verdict, verdict?.text ?? "");
    renderOnChange(this.alerts, [open, last?.severity, last?.message], () =>
      open ? drawAlerts(open, last) : []
    );
    this.learn();
  }

  learn() {
    const metrics = Object.keys((this.summary.latest ??= {}));
    this.panels = panelsOf(metrics);
    this.color = paletteOf(metrics);
    if (this.inView) this.show();
  }

  // Hundreds of rows may be live: those that nobody sees are not drawn.
  setInView(inView) {
    this.inView = inView;
    if (!inView) return;
    this.tick();
    this.show();
  }

  // Only rows that are on the screen fetch their curves, and what was missed of them.
  async show() {
    this.draw();
    try {
      await this.series.want(this.panels.flatMap(({metrics}) => metrics));
      await this.series.reset(this.missedUntil);
      this.draw();
    } catch {
      // the values stand without their curves; the list's connection tells what is wrong
    }
  }

  async reset(missedUntil) {
    this.missedUntil = missedUntil;
    if (this.inView) await this.show();
  }

  add(latest, step) {
    const isNew = Object.keys(latest).some((metric) => !(metric in this.summary.latest));
    Object.assign(this.fresh, latest);
    Object.assign(this.summary.latest, latest);
    if (isNew) this.learn();
    // a batch that is evaluated late is no step back; after a rewind the list says so itself
    this.summary.last_step = Math.max(step ?? 0, this.summary.last_step ?? 0);
  }

  // Once a second: a sparkline cannot show more, and a row holds still to be read.
  tick() {
    const fresh = Object.entries(this.fresh);
    this.fresh = {};
    if (fresh.length) {
      this.series.add(Object.fromEntries(fresh.map(([metric, row]) => [metric, columnsOf(row)])));
    }
    if (!this.inView) return;
    if (fresh.length) this.draw();
    const last = timeOf(this.summary);
    setText(this.age, Number.isFinite(last) ? formatAge(last, Date.now() / 1000) : "no point yet");
    setAttribute(this.age, "title", Number.isFinite(last) ? formatDate(last) : null);
    const step = this.summary.last_step;
    setText(this.step, step == null ? "" : `step ${formatCount(step)}`);
  }

  draw() {
    this.panels.forEach((panel, i) => {
      const lines = panel.metrics.map((metric) => ({
        metric,
        columns: this.series.get(metric),
        color: this.color(metric),
        row: this.summary.latest[metric]
      }));
      updateCell(this.cells[i], panel, lines);
    });
  }

  choose(chosen, full) {
    this.box.checked = chosen;
    this.box.disabled = full && !chosen;
  }

  matches(filter) {
    const {id, tags, status, verdict} = this.summary;
    const words = filter.toLowerCase().split(/\s+/);
    const all = [id, status, verdict?.level, verdict?.text, ...(tags ?? [])].join(" ");
    return words.every((word) => all.toLowerCase().includes(word));
  }
}

const columnsOf = (row) =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, [value]]));

const drawAlerts = (open, last) =>
  h(
    "span",
    {class: toneOf(last?.severity), title: last?.message},
    icon(last?.severity),
    plural(open, "alert")
  );
