// The alerts of a run, newest first, and what people say to them.

import {ApiError, alertPath, postJson} from "./api.js";
import {h, renderOnChange, setText} from "./element.js";
import {formatAge, formatClock, formatCount, formatDate, formatKind} from "./format.js";
import {icon, signOf, toneOf} from "./icons.js";

const muteTime = 3600; // s

// What can be said to an alert now: its button, the call, the body of that.
export function actionsOf(alert, now) {
  if (alert.resolved) return [];
  const muted = alert.muted_until > now;
  return [
    ...(alert.acknowledged ? [] : [["Acknowledge", "acknowledge", {}]]),
    muted ? ["Unmute", "mute", {seconds: 0}] : ["Mute for an hour", "mute", {seconds: muteTime}],
    ["Resolve", "resolve", {}]
  ];
}

export function stateText(alert, now) {
  if (alert.resolved) return "resolved";
  const said = [
    ...(alert.acknowledged ? ["acknowledged"] : []),
    ...(alert.muted_until > now ? [`muted until ${formatClock(alert.muted_until)}`] : [])
  ];
  return said.join(", ");
}

export class Alerts {
  // onChange(alert): after something was said to it
  constructor({onSelect, onChange, post = postJson}) {
    Object.assign(this, {onSelect, onChange, post});
    this.said = h("p", {class: "note", role: "status"});
    this.list = h("ol");
    this.caption = h("span", {class: "caption"});
    this.root = h(
      "section",
      {class: "alerts", "aria-label": "Alerts"},
      h("header", null, h("h2", null, "Alerts"), this.caption),
      this.said,
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
    const now = Date.now() / 1000;
    const content = [
      icon(signOf(alert)),
      h("b", null, formatKind(alert.kind)),
      h("span", null, alert.step === null ? "" : `step ${formatCount(alert.step)}`),
      h("span", {class: "quiet"}, stateText(alert, now)),
      h("time", {"data-time": alert.time, title: formatDate(alert.time)}),
      h("p", null, alert.message)
    ];
    const tone = toneOf(signOf(alert));
    const shown =
      alert.step === null
        ? h("div", {class: tone}, content)
        : h("button", {class: tone, onclick: () => this.onSelect(alert)}, content);
    const buttons = actionsOf(alert, now).map(([word, call, body]) =>
      h("button", {onclick: () => this.say(alert, call, body)}, word)
    );
    return h("li", null, shown, h("p", {class: "actions changes"}, buttons));
  }

  async say(alert, call, body) {
    try {
      this.onChange(await this.post(alertPath(alert, call), body));
      setText(this.said, "");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(this.said, error.message);
    }
  }
}
