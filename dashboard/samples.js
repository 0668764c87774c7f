// The image grid of one step: the newest, the one under the crosshair or the one that is pinned.

import {gridPath} from "./api.js";
import {nearestIndex} from "./columns.js";
import {h, setAttribute, setText} from "./element.js";
import {formatCount} from "./format.js";

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
  // onPick(step or null): a person chose. onShow(step): this grid is on the page.
  constructor(run, {onPick, onShow}) {
    Object.assign(this, {run, onPick, onShow, steps: [], pinned: null, hovered: null, shown: null});
    this.image = h("img", {alt: "", draggable: "false", hidden: true});
    this.note = h("p", {class: "note"});
    this.caption = h("span", {class: "caption"});
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
      h("header", null, h("h2", null, "Samples"), this.caption, this.newest),
      h("div", {class: "grid-frame"}, this.image, this.note),
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

  update({steps, pinned}) {
    Object.assign(this, {steps, pinned});
    setText(
      this.note,
      steps.length ? "" : "No image grid yet: it comes with the first batch of push_samples."
    );
    this.show();
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
    if (step === null || step === this.shown) return;
    this.shown = step;
    this.load(step);
    this.onShow(step);
  }

  // The old grid stays until the new one can be painted: nothing flickers.
  async load(step) {
    const next = new Image();
    next.src = gridPath(this.run, step);
    try {
      await next.decode();
    } catch {
      if (step === this.shown) this.fail(step);
      return;
    }
    if (step !== this.shown) return;
    this.image.src = next.src;
    this.image.alt = `Generated images at step ${formatCount(step)}`;
    this.image.hidden = false;
    setText(this.note, "");
  }

  fail(step) {
    this.image.hidden = true;
    setText(this.note, `The grid of step ${formatCount(step)} is not available.`);
    this.shown = null;
  }

  describe(step) {
    const at = this.steps.indexOf(step);
    const newest = at === this.steps.length - 1;
    const place = newest ? "newest" : `${formatCount(at + 1)} of ${formatCount(this.steps.length)}`;
    setText(this.caption, step === null ? "" : `step ${formatCount(step)} · ${place}`);
    this.newest.hidden = this.pinned === null;
    this.slider.disabled = this.steps.length < 2;
    setAttribute(this.slider, "max", Math.max(0, this.steps.length - 1));
    this.slider.value = at;
    setAttribute(this.slider, "aria-valuetext", step === null ? null : `step ${formatCount(step)}`);
  }
}
