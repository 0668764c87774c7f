// The name of a run and, first of all, its verdict.

import {h, renderOnChange, setText} from "./element.js";
import {icon, toneOf} from "./icons.js";

export const levelOf = ({verdict, status}) => verdict?.level ?? status;

export const drawTags = (tags) => tags.map((tag) => h("span", {class: "tag"}, tag));

export class RunHead {
  // control: what one can do to the run
  constructor(run, control) {
    this.verdict = h("p", {class: "verdict", role: "status"});
    this.status = h("span", {class: "caption"});
    this.tags = h("span", {class: "tags"});
    this.root = h(
      "header",
      {class: "run-head"},
      h("h1", null, run),
      this.status,
      this.tags,
      control,
      this.verdict
    );
  }

  update(detail) {
    const level = levelOf(detail);
    const text = detail.verdict?.text ?? detail.status;
    renderOnChange(this.verdict, [level, text], () => [icon(level), text]);
    this.verdict.className = `verdict ${toneOf(level)}`;
    setText(this.status, detail.status);
    renderOnChange(this.tags, detail.tags ?? [], drawTags);
  }
}
