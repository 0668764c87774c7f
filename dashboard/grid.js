// One image grid: of the step that was asked for last.

import {gridPath} from "./api.js";
import {h, setText} from "./element.js";
import {formatCount} from "./format.js";

export class Grid {
  // onFail(): the grid that was asked for is not available
  constructor(run, onFail) {
    Object.assign(this, {run, onFail, step: null});
    this.image = h("img", {alt: "", draggable: "false", hidden: true});
    this.note = h("p", {class: "note"});
    this.caption = h("figcaption", {hidden: true});
    const frame = h("div", {class: "grid-frame"}, this.image, this.note);
    this.root = h("figure", null, this.caption, frame);
  }

  // The old grid stays until the new one can be painted: nothing flickers.
  async show(step) {
    if (step === this.step) return;
    this.step = step;
    const next = new Image();
    next.src = gridPath(this.run, step);
    try {
      await next.decode();
    } catch {
      if (step === this.step) this.fail();
      return;
    }
    if (step !== this.step) return;
    this.image.src = next.src;
    this.image.alt = `Generated images at step ${formatCount(step)}`;
    this.image.hidden = false;
    this.say("");
  }

  fail() {
    this.image.hidden = true;
    this.say(`The grid of step ${formatCount(this.step)} is not available.`);
    this.step = null;
    this.onFail();
  }

  say(text) {
    setText(this.note, text);
  }

  name(text) {
    setText(this.caption, text);
    this.caption.hidden = text === "";
  }
}
