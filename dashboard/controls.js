// The switches of the curves: x axis, unit of S, follow, and what is folded below.

import {choice} from "./choice.js";
import {h, setAttribute} from "./element.js";
import {smoothings} from "./smoothing.js";
import {toggled} from "./state.js";

const axes = [
  ["step", "step"],
  ["epoch", "epoch"],
  ["time", "time"]
];
const units = [
  ["rad", "rad"],
  ["deg", "deg"]
];
const smooth = smoothings.map((share) => [share, share ? `${share}%` : "raw"]);
const folds = [
  ["scalars", "Losses and scalars"],
  ["companions", "Companions of Q and D"],
  ["epoch", "S per epoch"],
  ["layers", "S per layer"]
];

export class Controls {
  // onAxis(axis), onFollow(); the rest goes straight to the address
  constructor(address, {onAxis, onFollow}) {
    this.axis = choice("x axis", axes, onAxis);
    this.unit = choice("Unit of S", units, (unit) => address.set({unit}));
    this.smooth = choice("Smoothing", smooth, (share) => address.set({smooth: share}));
    this.smooth.root.title = "mean over this share of what is in view, the raw curve behind it";
    this.follow = h(
      "button",
      {class: "follow", onclick: onFollow, title: "whole run, newest images (f)"},
      "Follow"
    );
    this.folds = folds.map(([name, text]) => {
      const toggle = () => address.set({open: toggled(address.state.open, name)});
      return {name, button: h("button", {class: "fold", onclick: toggle}, text)};
    });
    const choices = [this.axis.root, this.unit.root, this.smooth.root];
    this.root = h("div", {class: "controls"}, choices, this.follow);
    this.foldRow = h(
      "div",
      {class: "folds"},
      this.folds.map(({button}) => button)
    );
  }

  // available: which folds have something in them
  update({x, unit, smooth, open, range, step, difference, with: others}, available) {
    const apart = difference && others.length > 0; // two runs have no moment in common
    this.axis.update(x, apart ? ["time"] : []);
    this.unit.update(unit);
    this.smooth.update(smooth);
    setAttribute(this.follow, "aria-pressed", String(range === null && step === null));
    for (const {name, button} of this.folds) {
      button.disabled = !available[name];
      setAttribute(button, "aria-expanded", String(open.includes(name) && available[name]));
    }
  }
}
