// One image grid: of the step that was asked for last.

import {gridPath} from "./api.js";
import {h, setText} from "./element.js";
import {formatCount} from "./format.js";

export class Grid {
  // onFail(): the grid that was asked for is not available
  constructor(run, onFail) {
    Object.assign(this, {run, onFail, step: null, take: 0});
    this.image = h("img", {alt: "", draggable: "false", hidden: true});
    this.note = h("p", {class: "note"});
    this.caption = h("figcaption", {hidden: true});
    const frame = h("div", {class: "grid-frame"}, this.image, this.note);
    this.root = h("figure", null, this.caption, frame);
  }

  // The old grid stays until the new one can be painted: nothing flickers. take: as of gridPath.
  async show(step, take = 0) {
    if (step === this.step && take === this.take) return;
    Object.assign(this, {step, take});
    const next = new Image();
    next.src = gridPath(this.run, step, take);
    const isWanted = () => step === this.step && take === this.take;
    try {
      await next.decode();
    } catch {
      if (isWanted()) this.fail();
      return;
    }
    if (!isWanted()) return;
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
