// What speaks for a turning point, in a window over the page: the images before, at and after it,
// the curves around it with what was to be expected, the modes that vanished.

import {h, renderOnChange, setText} from "./element.js";
import {formatAge, formatCount, formatDate, formatKind} from "./format.js";
import {icon, toneOf} from "./icons.js";
import {batchesOf, momentsOf} from "./moments.js";
import {Surroundings} from "./surroundings.js";
import {drawTriptych} from "./triptych.js";
import {Vanished} from "./vanished.js";

export const placed = (alerts) => alerts.filter(({step}) => step !== null);

export class Evidence {
  // feed: of the run. onOpen(alert id or null), onShow(alert): on the page's own curves
  constructor(run, feed, {onOpen, onShow}) {
    Object.assign(this, {run, feed, onOpen, onShow, alert: null});
    this.around = new Surroundings(run, feed, () => this.drawPictures());
    this.vanished = new Vanished(run);
    this.build();
  }

  build() {
    this.head = h("div", {class: "evidence-head"});
    this.message = h("p", {class: "message"});
    this.kept = h("p", {class: "note kept"});
    this.pictures = h("section", {class: "triptych", "aria-label": "Images"});
    this.content = h(
      "div",
      {class: "evidence-body"},
      this.pictures,
      this.vanished.root,
      this.around.root
    );
    this.root = h(
      "dialog",
      {
        class: "evidence",
        "aria-label": "Evidence of a turning point",
        onclose: () => (this.root.remove(), this.onOpen(null)),
        onclick: (event) => event.target === this.root && this.root.close(),
        onkeydown: (event) => this.press(event)
      },
      h(
        "header",
        null,
        this.head,
        (this.earlier = this.button("‹", "Earlier turning point", () => this.go(-1))),
        (this.later = this.button("›", "Later turning point", () => this.go(1))),
        this.button("×", "Close", () => this.root.close(), {autofocus: true})
      ),
      this.message,
      this.kept,
      this.content
    );
  }

  button(text, label, onclick, more) {
    return h("button", {class: "quiet", "aria-label": label, title: label, onclick, ...more}, text);
  }

  press({key}) {
    if (key === "ArrowLeft") this.go(-1);
    if (key === "ArrowRight") this.go(1);
  }

  // The turning point before (-1) or after (1) this one, undefined without one.
  beside(by) {
    const all = placed(this.feed.alerts);
    const at = all.findIndex(({id}) => id === this.alert?.id);
    return at < 0 ? undefined : all[at + by];
  }

  go(by) {
    const next = this.beside(by);
    if (next) this.onOpen(next.id);
  }

  // id: as the address names it; null closes. unit: of S.
  update(id, unit) {
    if (id === null) return this.close();
    if (!this.feed.complete) return;
    const alert = placed(this.feed.alerts).find((each) => each.id === id) ?? null;
    if (!this.root.open) this.open();
    this.content.hidden = alert === null;
    if (alert === null) return this.miss();
    this.describe(alert);
    this.earlier.disabled = !this.beside(-1);
    this.later.disabled = !this.beside(1);
    const batches = batchesOf(this.feed);
    this.moments = momentsOf(alert, batches);
    this.around.show(alert, unit, batches);
    this.vanished.show(this.moments);
    this.drawPictures();
  }

  // In the document only while it is open.
  open() {
    document.body.append(this.root);
    this.root.showModal();
  }

  close() {
    if (this.root.open) this.root.close();
    this.around.hide();
    this.alert = null;
  }

  redraw() {
    this.around.curves.draw();
  }

  stop() {
    this.around.stop();
    this.root.remove();
  }

  miss() {
    this.alert = null;
    this.earlier.disabled = this.later.disabled = true;
    this.around.hide();
    renderOnChange(this.head, null, () => h("h2", null, "No such turning point"));
    setText(this.message, "The address names one that this run does not have.");
    setText(this.kept, "");
  }

  describe(alert) {
    this.alert = alert;
    renderOnChange(this.head, alert, () => this.drawHead(alert));
    setText(this.message, alert.message);
    const kept = this.feed.detail?.checkpoints?.find((each) => each.alert === alert.id);
    setText(this.kept, kept ? keptText(kept) : "");
  }

  drawHead(alert) {
    const {kind, severity, step, detected_step: detected, time} = alert;
    const noticed = detected === null ? "" : ` · noticed at ${formatCount(detected)}`;
    return [
      h("h2", {class: toneOf(severity)}, icon(severity), formatKind(kind)),
      h("span", null, `since step ${formatCount(step)}${noticed}`),
      h("time", {class: "caption", title: formatDate(time)}, formatAge(time, Date.now() / 1000)),
      h("button", {class: "quiet", onclick: () => this.onShow(alert)}, "Show in the run")
    ];
  }

  drawPictures() {
    const {moments, feed} = this;
    if (!this.alert) return;
    const shown = Object.entries(moments).map(([name, step]) => ({
      name,
      step,
      hasGrid: feed.steps.includes(step),
      values: ["Q", "D"].map((metric) => [metric, this.around.valueAt(metric, step)])
    }));
    const about = {live: feed.detail?.status === "running", hasGrids: feed.steps.length > 0};
    const key = [this.alert.id, shown, about];
    renderOnChange(this.pictures, key, () => drawTriptych(this.run, shown, about));
  }
}

export const keptText = ({step, path, host}) =>
  `Checkpoint from before: step ${formatCount(step)}, ${path} on ${host}.`;
