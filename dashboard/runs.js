// The list of runs, newest first, live.

import {getJson, pagePath} from "./api.js";
import {mostRuns} from "./compare.js";
import {Connection} from "./connection.js";
import {h, setAttribute, setText} from "./element.js";
import {formatCount, plural} from "./format.js";
import {emptyList, errorNotice} from "./notices.js";
import {ordered, orderNames} from "./order.js";
import {Row} from "./row.js";
import {formatAddress, parseAddress, toggled} from "./state.js";
import {stateText} from "./trust.js";

const tickInterval = 1000; // ms
const ahead = 300; // px around the screen in which rows are ready to come into view

export class RunsPage {
  // onHealth(health): for the whole document
  constructor(address, {onHealth}) {
    Object.assign(this, {address, onHealth, rows: new Map()});
    this.title = "Runs";
    this.connection = new Connection({
      run: null,
      poll: async () => this.update(await getJson("/api/runs")),
      load: (missedUntil) => this.load(missedUntil),
      onEvent: (type, data) => this.receive(type, data),
      onHealth: (health) => this.judge(health)
    });
    this.build();
    this.seen = new IntersectionObserver(
      (entries) => entries.forEach(({isIntersecting, target}) => target.row.setInView(isIntersecting)),
      {rootMargin: `${ahead}px 0px`}
    );
  }

  build() {
    this.state = h("b", {role: "status"});
    this.count = h("span");
    this.filter = h("input", {
      type: "search",
      hidden: true,
      placeholder: "Filter by name, tag or state",
      "aria-label": "Filter runs",
      value: this.address.state.filter,
      oninput: () => this.address.set({filter: this.filter.value.trim()})
    });
    const options = Object.entries(orderNames).map(([value, text]) => h("option", {value}, text));
    this.sort = h(
      "select",
      {
        hidden: true,
        "aria-label": "Sort runs",
        onchange: () => this.address.set({sort: this.sort.value})
      },
      options
    );
    this.compare = h("a", {class: "compare"});
    this.list = h("ol", {class: "runs", "aria-label": "Runs"});
    this.notice = h("div");
    this.none = h("p", {class: "note", hidden: true});
    this.bar = h(
      "section",
      {class: "trust", "aria-label": "Connection"},
      h(
        "p",
        null,
        h("i", {class: "light", "aria-hidden": "true"}),
        this.state,
        this.count,
        this.compare,
        this.filter,
        this.sort
      )
    );
    this.heads = h(
      "div",
      {class: "row heads", "aria-hidden": "true", hidden: true},
      h("span"),
      ...["Run", "S, rad", "Q, 0 … 1", "D, nats", "Last point", ""].map((text) =>
        h("span", null, text)
      )
    );
    this.root = h(
      "main",
      {class: "list-page"},
      h("h1", {class: "unseen"}, "Runs"),
      this.bar,
      this.notice,
      this.heads,
      this.none,
      this.list
    );
  }

  start() {
    this.judge(this.connection.health);
    this.connection.start();
    this.timer = setInterval(() => this.tick(), tickInterval);
    this.forget = this.address.listen(() => this.arrange());
  }

  stop() {
    this.connection.stop();
    clearInterval(this.timer);
    this.seen.disconnect();
    this.forget();
  }

  update(summaries) {
    this.runs = summaries;
    const ids = new Set(summaries.map(({id}) => id));
    for (const [id, row] of this.rows) if (!ids.has(id)) this.remove(id, row);
    for (const summary of summaries) this.rowOf(summary.id).update(summary);
    this.notice.replaceChildren(...(summaries.length ? [] : [emptyList(location.origin)]));
    this.arrange();
    this.tick();
  }

  async load(missedUntil) {
    await Promise.all([...this.rows.values()].map((row) => row.reset(missedUntil)));
  }

  rowOf(id) {
    if (!this.rows.has(id)) this.rows.set(id, new Row(id, (run) => this.choose(run)));
    return this.rows.get(id);
  }

  choose(run) {
    this.address.set({with: toggled(this.address.state.with, run)});
  }

  // What is chosen, and the way to see it laid over each other.
  offer() {
    const chosen = this.address.state.with.filter((id) => this.rows.has(id));
    const full = chosen.length >= mostRuns;
    for (const [id, row] of this.rows) row.choose(chosen.includes(id), full);
    const [first, ...others] = chosen;
    const ready = others.length > 0;
    const view = formatAddress({...parseAddress(""), with: others});
    setAttribute(this.compare, "href", ready && pagePath(first) + view);
    setText(this.compare, ready ? `Compare ${plural(chosen.length, "run")}` : "");
  }

  remove(id, row) {
    this.rows.delete(id);
    this.seen.unobserve(row.root);
    row.root.remove();
  }

  // Moves only what is out of place.
  arrange() {
    const {filter, sort} = this.address.state;
    this.sort.value = sort;
    const wanted = ordered(this.runs ?? [], sort)
      .map(({id}) => this.rows.get(id))
      .filter((row) => row?.matches(filter));
    wanted.forEach(({root}, i) => {
      if (this.list.children[i] === root) return;
      this.list.insertBefore(root, this.list.children[i] ?? null);
      this.seen.observe(root);
    });
    while (this.list.children.length > wanted.length) this.list.lastChild.remove();
    this.heads.hidden = this.filter.hidden = this.sort.hidden = !this.runs?.length;
    setText(this.count, this.countText(wanted.length));
    this.none.hidden = wanted.length > 0 || !this.runs?.length;
    setText(this.none, `No run has “${filter}” in its name, tags, state or verdict.`);
    this.offer();
  }

  countText(shown) {
    if (!this.runs) return "";
    const running = this.runs.filter(({status}) => status === "running").length;
    const all = `${plural(this.runs.length, "run")}, ${formatCount(running)} running`;
    return shown === this.runs.length ? all : `${formatCount(shown)} of ${all}`;
  }

  receive(type, data) {
    const row = this.rows.get(data.run);
    if (type === "points" && row) row.add(data.latest ?? {}, data.last_step);
    if (type !== "points") this.connection.beat(); // a new run, an alert, another status
  }

  judge(health) {
    this.bar.dataset.state = health.state;
    setText(this.state, stateText(health));
    if (health.state === "error") this.notice.replaceChildren(errorNotice(health));
    this.onHealth(health);
  }

  tick() {
    for (const row of this.rows.values()) row.tick();
  }

  key(key) {
    if (key === "c" && this.compare.hasAttribute("href")) return (this.compare.click(), true);
    if (key !== "j" && key !== "k") return false;
    const links = [...this.list.querySelectorAll("h2 a")];
    const at = links.indexOf(document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, at + (key === "j" ? 1 : -1)))]?.focus();
    return true;
  }
}
