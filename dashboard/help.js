// What `?` shows.

import {h} from "./element.js";

const keys = [
  ["j, k", "next and previous run"],
  ["←, →", "earlier and later batch of images"],
  ["s", "hold this batch beside the ones that follow; again lets go"],
  ["+, −", "zoom in and out around the shown batch"],
  ["e", "evidence of the newest turning point; ←, → to the others, Esc closes"],
  ["f", "follow: whole run, newest images"],
  ["c", "compare the runs ticked in the list"],
  ["d", "compared runs as their difference to this one"],
  ["/", "filter the list"],
  ["?", "this list"]
];
const marks = [
  ["gap and ×", "the value could not be computed; the bar on top says why"],
  ["gap and ○", "computed from too few samples to be trusted"],
  ["gap and △", "not a finite number"],
  ["faint behind a smooth line", "the raw curve; the line is its mean around each point"],
  ["shaded band", "one standard error on each side"],
  ["dotted line in D", "ln m, the most that m modes allow"],
  ["dashed vertical line", "a turning point: its sign opens the evidence"],
  ["drag, double-click", "zoom, and return"]
];

const list = (rows) =>
  h(
    "dl",
    null,
    rows.flatMap(([name, text]) => [h("dt", null, name), h("dd", null, text)])
  );

export function buildHelp() {
  const dialog = h(
    "dialog",
    {
      class: "help",
      "aria-label": "Help",
      onclick: (event) => event.target === dialog && dialog.close()
    },
    h(
      "form",
      {method: "dialog"},
      h("h2", null, "Keys"),
      list(keys),
      h("h2", null, "Marks"),
      list(marks),
      h("button", {autofocus: true}, "Close")
    )
  );
  return dialog;
}
