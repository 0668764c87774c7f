// The menu that saves what is shown: points as CSV, each panel as a picture.

import {allPointsPath, csvOf} from "./csv.js";
import {h} from "./element.js";
import {runAndMetric} from "./panels.js";
import {drawPicture, pictureOf} from "./picture.js";

// Where runs are compared, S.G and S.D stand in panels of their own.
const nameOf = ({title, key}) => (key.startsWith("S.") ? `${title} ${key}` : title);

const revokeAfter = 60_000; // ms; a browser that asks where to save reads it later

export class Saving {
  // curves: with frame, plotly and look
  constructor(run, curves) {
    Object.assign(this, {run, curves});
    this.menu = h("div", {class: "menu-body"});
    this.root = h(
      "details",
      {class: "menu", ontoggle: () => this.fill(), onkeydown: (event) => this.press(event)},
      h("summary", null, "Save"),
      this.menu
    );
    this.leave = (event) => !this.root.contains(event.target) && (this.root.open = false);
    addEventListener("pointerdown", this.leave);
  }

  stop() {
    removeEventListener("pointerdown", this.leave);
  }

  press(event) {
    if (event.key !== "Escape") return;
    this.root.open = false;
    this.root.firstChild.focus();
  }

  // Anew at each opening: it names what is shown then.
  fill() {
    const {frame} = this.curves;
    if (!this.root.open || !frame) return this.menu.replaceChildren();
    // a difference has no points of its own on the server
    const keys = frame.difference ? [] : frame.panels.flatMap(({metrics}) => metrics);
    const runs = [...new Set(keys.map((key) => runAndMetric(key)[0] ?? this.run))];
    this.menu.replaceChildren(
      h("button", {onclick: () => this.saveCsv()}, "CSV of the points shown"),
      ...runs.map((run) => {
        const which = runs.length > 1 ? ` of ${run}` : "";
        const href = allPointsPath(run, frame);
        return h("a", {href, download: `${run}.csv`}, `CSV of all points in view${which}`);
      }),
      ...frame.panels.filter(({metrics}) => metrics.length).map((panel) => this.pictures(panel))
    );
  }

  pictures(panel) {
    const button = (format) =>
      h(
        "button",
        {
          "aria-label": `${nameOf(panel)} as ${format.toUpperCase()}`,
          onclick: () => this.savePicture(panel, format)
        },
        format.toUpperCase()
      );
    return h("p", null, h("span", null, nameOf(panel)), button("png"), button("svg"));
  }

  saveCsv() {
    const {frame} = this.curves;
    this.save(new Blob([csvOf(frame, frame.view)], {type: "text/csv"}), `${this.run}.csv`);
  }

  async savePicture(panel, format) {
    const {frame, plotly, look} = this.curves;
    if (!plotly) return;
    const picture = pictureOf(frame, panel, look);
    this.save(await drawPicture(plotly, picture, format), `${this.run} ${panel.key}.${format}`);
  }

  save(blob, download) {
    const href = URL.createObjectURL(blob);
    h("a", {href, download}).click();
    setTimeout(() => URL.revokeObjectURL(href), revokeAfter);
  }
}
