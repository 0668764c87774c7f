// The turning points and other alerts of a run, newest first.

import {h, renderOnChange, setText} from "./element.js";
import {formatAge, formatCount, formatDate, formatKind} from "./format.js";
import {icon, toneOf} from "./icons.js";

export class Alerts {
  constructor({onSelect}) {
    this.onSelect = onSelect;
    this.list = h("ol");
    this.caption = h("span", {class: "caption"});
    this.root = h(
      "section",
      {class: "alerts", "aria-label": "Turning points and alerts"},
      h("header", null, h("h2", null, "Turning points"), this.caption),
      this.list
    );
  }

  update(alerts) {
    setText(this.caption, alerts.length ? formatCount(alerts.length) : "");
    renderOnChange(this.list, alerts, () =>
      alerts.length
        ? alerts.toReversed().map((alert) => this.draw(alert))
        : h("li", {class: "note"}, "None so far.")
    );
    this.tick();
  }

  tick() {
    const now = Date.now() / 1000;
    for (const node of this.list.querySelectorAll("time")) {
      setText(node, formatAge(Number(node.dataset.time), now));
    }
  }

  draw(alert) {
    const content = [
      icon(alert.severity),
      h("b", null, formatKind(alert.kind)),
      h("span", null, alert.step === null ? "" : `step ${formatCount(alert.step)}`),
      h("time", {"data-time": alert.time, title: formatDate(alert.time)}),
      h("p", null, alert.message)
    ];
    const tone = toneOf(alert.severity);
    if (alert.step === null) return h("li", null, h("div", {class: tone}, content));
    return h("li", null, h("button", {class: tone, onclick: () => this.onSelect(alert)}, content));
  }
}
