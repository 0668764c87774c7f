// Which runs are compared: a colour for each, a way to take one out, and how they are shown.

import {pagePath} from "./api.js";
import {choice} from "./choice.js";
import {h, renderOnChange} from "./element.js";

const hows = [
  [false, "curves"],
  [true, "difference"]
];

export class Legend {
  // onRemove(run), onDifference(whether)
  constructor({onRemove, onDifference}) {
    this.onRemove = onRemove;
    this.list = h("ul", {"aria-label": "Compared runs"});
    this.how = choice("Compared as", hows, onDifference);
    this.how.root.title = "the other runs as they are, or minus this one (d)";
    this.root = h("div", {class: "legend", hidden: true}, this.how.root, this.list);
  }

  // entries: [{run, color, note}], the page's own run first
  update(entries, difference) {
    this.root.hidden = entries.length < 2;
    this.how.update(difference);
    renderOnChange(this.list, entries, () => entries.map((entry, i) => this.draw(entry, i > 0)));
  }

  draw({run, color, note}, removable) {
    const remove = () => this.onRemove(run);
    return h(
      "li",
      {style: `--series:var(${color})`},
      h("i"),
      h("a", {href: pagePath(run), title: run}, run),
      h("span", {class: "caption"}, note),
      removable &&
        h("button", {class: "quiet", "aria-label": `Take out ${run}`, onclick: remove}, "×")
    );
  }
}
