// Which runs are compared: a colour for each, and a way to take one out.

import {pagePath} from "./api.js";
import {h, renderOnChange} from "./element.js";

export class Legend {
  // onRemove(run)
  constructor({onRemove}) {
    this.onRemove = onRemove;
    this.root = h("ul", {class: "legend", "aria-label": "Compared runs", hidden: true});
  }

  // entries: [{run, color, note}], the page's own run first
  update(entries) {
    this.root.hidden = entries.length < 2;
    renderOnChange(this.root, entries, () => entries.map((entry, i) => this.draw(entry, i > 0)));
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
