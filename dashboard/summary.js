// Words for what a panel cannot draw, and for those who cannot see it.

import {lastRow} from "./columns.js";
import {formatCount} from "./format.js";
import {lineName} from "./panels.js";
import {flawOf, readFully} from "./reading.js";

const waiting = {
  S: "waiting for the first two pushes of weights",
  Q: "waiting for the first batch of samples",
  D: "waiting for the first batch of samples"
};

// Why a panel is empty; "" when it is not.
export function noteOf(panel, detail, series) {
  if (!detail) return "loading";
  const metrics = panel.metrics;
  const good = metrics.some((metric) => {
    const {value, status} = series.get(metric);
    return value.some((each, i) => !flawOf(panel, status[i], each) || status[i] === "insufficient");
  });
  if (good) return "";
  if (metrics.some((metric) => !series.has(metric))) return "loading";
  const problem = detail.problems?.find(
    ({metric}) => metrics.includes(metric) || metric === panel.key
  );
  if (problem) return `${problem.status}: ${problem.reason}`;
  if (panel.empty) return panel.empty;
  return metrics.length ? "no value yet" : (waiting[panel.key] ?? "no value yet");
}

// For a screen reader: the newest value of each line.
export function summaryOf(panels, series) {
  const parts = panels.map((panel) => {
    const values = panel.metrics.flatMap((metric) => {
      const row = lastRow(series.get(metric));
      if (!row) return [];
      return [
        `${lineName(metric, panel)} ${readFully(panel, row)} at step ${formatCount(row.step)}`
      ];
    });
    return `${panel.title}: ${values.join(", ") || "no value yet"}`;
  });
  return `Curves of ${parts.join("; ")}.`;
}
