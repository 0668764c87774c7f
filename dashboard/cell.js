// S, Q or D of one run in the list: a small curve and the newest values.

import {h, renderOnChange} from "./element.js";
import {lineName} from "./panels.js";
import {readShortly} from "./reading.js";
import {sparkline} from "./sparkline.js";

const shortDigits = 2; // of S, which is small and stands twice

// lines: [{metric, columns, color, row}], row the newest.
export function updateCell(node, panel, lines) {
  const key = lines.map(({metric, columns, row}) => [metric, columns.step, row.value, row.status]);
  renderOnChange(node, key, () => [
    sparkline(lines, panel, `${panel.title} so far`),
    h(
      "div",
      {class: "values"},
      lines.map((line) => drawValue(panel, line))
    )
  ]);
}

const drawValue = (panel, {metric, color, row}) =>
  h(
    "span",
    {style: `--series:var(${color})`},
    h("i"),
    `${lineName(metric, panel)} `,
    h("b", null, readShortly(panel, row, panel.key === "S" ? shortDigits : undefined))
  );
