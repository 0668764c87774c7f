// Always in view: is this the present, and what is missing from it?

import {h, renderOnChange, setAttribute, setText} from "./element.js";
import {qualityText} from "./evaluator.js";
import {
  formatAge,
  formatBytes,
  formatClock,
  formatCount,
  formatDate,
  formatDuration,
  formatNumber,
  plural
} from "./format.js";
import {icon} from "./icons.js";

const quietAge = 60; // s without a point before the end; more is worth a colour

export class TrustBar {
  constructor() {
    this.light = h("i", {class: "light", "aria-hidden": "true"});
    this.state = h("b", {role: "status"});
    this.age = h("span");
    this.facts = h("span", {class: "facts"});
    this.problems = h("div", {class: "problems"});
    this.root = h(
      "section",
      {class: "trust", "aria-label": "Connection and worker"},
      h("p", null, this.light, this.state, this.age, this.facts),
      this.problems
    );
  }

  update({health, detail, lastTime}) {
    this.root.dataset.state = health.state;
    setText(this.state, stateText(health, detail?.status));
    if (health.state === "error") detail = null;
    renderOnChange(this.facts, detail ? factsOf(detail) : [], (facts) => facts.map(drawFact));
    renderOnChange(this.problems, detail?.problems ?? [], drawProblems);
    if (!detail) setText(this.age, "");
    Object.assign(this, {detail, lastTime});
    this.tick();
  }

  // Once a second, for the ages alone.
  tick() {
    if (!this.detail) return;
    const now = Date.now() / 1000;
    const late = this.lastTime !== null && now - this.lastTime > quietAge;
    setText(
      this.age,
      this.lastTime === null ? "no point yet" : `last point ${formatAge(this.lastTime, now)}`
    );
    setAttribute(this.age, "title", this.lastTime === null ? null : formatDate(this.lastTime));
    this.age.className = late && this.detail.status !== "finished" ? "warn" : "";
  }
}

// runStatus: a run that is over is connected, not live.
export function stateText({state, since, status, reason}, runStatus = "running") {
  if (state === "live") return runStatus === "running" ? "Live" : "Connected";
  if (state === "loading") return "Connecting";
  if (state === "stale")
    return `Not live since ${formatClock(since)}: ${sentence(reason)} Reconnecting.`;
  return status === 404 ? "No such run" : "Not connected";
}

const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

// What the server tells of the road from trainer to page; a field it leaves out is left out here.
// Plain facts say how it is made, not whether something is missing: a phone has no room for them.
export function factsOf({lag, drops, worker, quality, diversity, status}) {
  const facts = [];
  const add = (text, title = "", tone = "") => facts.push({text, title, tone});
  if (lag && status === "running") {
    add(
      `weights ${behind(lag.weights_steps, lag.weights_s)}`,
      "from the newest push to the newest S"
    );
    add(
      `samples ${behind(lag.samples_steps, lag.samples_s)}`,
      "from the newest batch to the newest Q"
    );
  }
  if (lag?.queued_jobs != null) {
    add(
      `${formatCount(lag.queued_jobs)} queued`,
      `of all runs; ${formatBytes(lag.outstanding_bytes)} of this one outstanding`
    );
  }
  if (drops) addDrops(drops, add);
  const dead = lag?.dead_letters;
  if (dead != null)
    add(
      plural(dead, "dead letter"),
      "jobs given up after they failed repeatedly",
      dead ? "bad" : ""
    );
  if (worker) addWorker(worker, status, add);
  if (quality) add(`Q by ${quality.evaluator}`, qualityText(quality.evaluator), "plain");
  if (diversity) {
    const {embedder, reference, modes} = diversity;
    const title = `${formatCount(modes)} modes in the reference set`;
    add(`D by ${embedder} on ${reference}`, title, "plain");
  }
  return facts;
}

function behind(steps, seconds) {
  if (steps === 0) return "up to date";
  const parts = [plural(steps ?? null, "step"), ...(seconds == null ? [] : [duration(seconds)])];
  return `${parts.join(", ")} behind`;
}

const duration = (seconds) => (seconds < 10 ? `${seconds.toFixed(1)} s` : formatDuration(seconds));

function addDrops(drops, add) {
  const reasons = Object.entries(drops).filter(([, count]) => count > 0);
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  const title = reasons.map(
    ([reason, count]) => `${reason.replaceAll("_", " ")}: ${formatCount(count)}`
  );
  add(`${formatCount(total)} dropped`, title.join("\n"), total ? "ink" : "");
}

function addWorker(worker, status, add) {
  if (!worker.seen)
    return add("no worker", "start one: sqd worker", status === "running" ? "bad" : "");
  if (worker.device == null) {
    const title = "one that only computes S is there; that for Q and D may still be loading";
    return add("no worker for Q and D", title, status === "running" ? "warn" : "");
  }
  const speed =
    worker.images_per_s == null ? "" : `, ${formatNumber(worker.images_per_s)} images/s`;
  add(`worker on ${worker.device}`, `${worker.provider ?? ""}${speed}`, "plain");
}

const drawFact = ({text, title, tone}) =>
  h("span", {class: tone, title: title || null}, tone === "bad" && icon("critical"), text);

function drawProblems(problems) {
  if (problems.length === 0) return [];
  if (problems.length === 1) return h("p", null, icon("warning"), problemText(problems[0]));
  const more = h("span", {class: "quiet"}, ` and ${problems.length - 1} more`);
  return h(
    "details",
    null,
    h("summary", null, icon("warning"), problemText(problems[0]), more),
    h(
      "ul",
      null,
      problems.slice(1).map((problem) => h("li", null, problemText(problem)))
    )
  );
}

export function problemText({metric, status, count, first_step: first, last_step: last, reason}) {
  const times = count > 1 ? ` ${formatCount(count)} times` : "";
  const range = `${formatCount(first)}–${formatCount(last)}`;
  const steps = first === last ? `step ${formatCount(first)}` : `steps ${range}`;
  return `${metric} ${status}${times}, ${steps}${reason ? `: ${reason}` : ""}`;
}
