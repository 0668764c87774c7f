// The image grid of one step: the newest, the one under the crosshair or the one that is pinned; and
// beside it, if wanted, one that is held.

import {nearestIndex} from "./columns.js";
import {h, setAttribute, setText} from "./element.js";
import {formatCount} from "./format.js";
import {Grid} from "./grid.js";

const hoverDelay = 80; // ms the crosshair has to rest before its grid is fetched

// The step whose grid is shown, null without one. wished: step, null is the newest.
export function stepToShow(steps, wished) {
  if (steps.length === 0) return null;
  return wished === null ? steps.at(-1) : steps[nearestIndex(steps, wished)];
}

// The step a key press leads to; null is the newest, which moves on as grids arrive.
export function stepBeside(steps, shown, by) {
  const at = steps.indexOf(shown) + by;
  return at >= steps.length - 1 ? null : (steps[Math.max(0, at)] ?? null);
}

export class Samples {
  // onPick(step or null): a person chose. onHold(step or null): this one is to stay beside what
  // is chosen next. onShow(step): this grid is on the page.
  constructor(run, {onPick, onHold, onShow}) {
    Object.assign(this, {onPick, onHold, onShow, steps: [], pinned: null, held: null});
    Object.assign(this, {hovered: null, shown: null});
    this.grid = new Grid(run, () => (this.shown = null));
    this.other = new Grid(run, () => {});
    this.caption = h("span", {class: "caption"});
    this.hold = h("button", {class: "quiet", onclick: () => this.toggleHold()}, "side by side");
    this.newest = h("button", {class: "quiet", onclick: () => onPick(null)}, "newest");
    this.slider = h("input", {
      type: "range",
      min: 0,
      "aria-label": "Step of the image grid",
      oninput: () => this.slide()
    });
    this.root = h(
      "section",
      {class: "samples", "aria-label": "Samples"},
      h("header", null, h("h2", null, "Samples"), this.caption, this.newest, this.hold),
      h("div", {class: "grids"}, this.other.root, this.grid.root),
      h(
        "div",
        {class: "scrub"},
        this.button("‹", -1, "Earlier batch"),
        this.slider,
        this.button("›", 1, "Later batch")
      )
    );
    this.describe(null);
  }

  button(text, by, label) {
    return h("button", {class: "quiet", "aria-label": label, onclick: () => this.go(by)}, text);
  }

  // takes: how often each step came. pinned, held: steps, null for none.
  update({steps, takes, pinned, held}) {
    Object.assign(this, {steps, takes, pinned, held: steps.length ? held : null});
    if (steps.length === 0) {
      this.grid.say("No image grid yet: it comes with the first batch of push_samples.");
    }
    this.other.root.hidden = this.held === null;
    if (this.held !== null) {
      const step = stepToShow(steps, this.held);
      this.other.name(`step ${formatCount(step)}`);
      this.other.show(step, takes.get(step));
    }
    this.show();
  }

  toggleHold() {
    if (this.held !== null) this.onHold(null);
    else if (this.shown !== null) this.onHold(this.shown);
  }

  hover(step) {
    this.hovered = step;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(), hoverDelay);
  }

  // The step with a grid that lies nearest; the newest is null, which moves on with the run.
  nearest(step) {
    const at = stepToShow(this.steps, step);
    return at === this.steps.at(-1) ? null : at;
  }

  go(by) {
    if (this.steps.length) this.onPick(stepBeside(this.steps, this.shown, by));
  }

  slide() {
    const at = Number(this.slider.value);
    this.onPick(at === this.steps.length - 1 ? null : this.steps[at]);
  }

  show() {
    const step = stepToShow(this.steps, this.hovered ?? this.pinned);
    this.describe(step);
    if (step === null) return;
    this.grid.show(step, this.takes.get(step));
    if (step === this.shown) return;
    this.shown = step;
    this.onShow(step);
  }

  describe(step) {
    const at = this.steps.indexOf(step);
    const newest = at === this.steps.length - 1;
    const place = newest ? "newest" : `${formatCount(at + 1)} of ${formatCount(this.steps.length)}`;
    const single = this.held === null;
    setText(this.caption, step === null || !single ? "" : `step ${formatCount(step)} · ${place}`);
    this.grid.name(single ? "" : `step ${formatCount(step)}`);
    this.hold.disabled = step === null;
    setAttribute(this.hold, "aria-pressed", String(!single));
    this.newest.hidden = this.pinned === null;
    this.slider.disabled = this.steps.length < 2;
    setAttribute(this.slider, "max", Math.max(0, this.steps.length - 1));
    this.slider.value = at;
    setAttribute(this.slider, "aria-valuetext", step === null ? null : `step ${formatCount(step)}`);
  }
}
