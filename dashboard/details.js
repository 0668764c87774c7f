// What the run is: networks, settings, segments. Folded until asked for.

import {h, renderOnChange} from "./element.js";
import {formatCount, formatDate, formatNumber, plural} from "./format.js";

export class Details {
  constructor({onToggle}) {
    this.body = h("div", {class: "details-body"});
    this.button = h("button", {class: "fold", onclick: onToggle}, "Configuration");
    this.root = h("section", {class: "details"}, this.button, this.body);
  }

  update(detail, open) {
    this.button.setAttribute("aria-expanded", open);
    this.body.hidden = !open;
    if (open && detail) renderOnChange(this.body, rowsOf(detail), drawRows);
  }
}

export function rowsOf(detail) {
  const {networks, config, segments, started, quality, diversity, checkpoints} = detail;
  const rows = [["started", formatDate(started)]];
  for (const [name, network] of Object.entries(networks ?? {})) {
    const {parameters, tensors, weights} = network;
    rows.push([
      `network ${name}`,
      `${formatCount(parameters)} parameters, ${plural(tensors, "tensor")}, ${weights}`
    ]);
  }
  for (const [name, value] of Object.entries(config ?? {})) rows.push([name, show(value)]);
  (segments ?? []).forEach((segment, i) => {
    const {started: begun, first_step: first, last_step: last, host} = segment;
    const where = host ? ` on ${host}` : "";
    rows.push([
      `segment ${i + 1}`,
      `steps ${formatCount(first)}–${formatCount(last)}, from ${formatDate(begun)}${where}`
    ]);
  });
  for (const {step, path, host, pinned} of checkpoints ?? []) {
    const state = pinned ? "" : ", left by a trainer that had ended";
    rows.push([
      "checkpoint",
      `step ${formatCount(step)}, from before an alert: ${path} on ${host}${state}`
    ]);
  }
  if (diversity) {
    const {reference, modes, ceiling} = diversity;
    const size = `${formatCount(modes)} modes, ceiling ${formatNumber(ceiling)} nats`;
    rows.push(["reference", `${reference}, ${size}`]);
  }
  if (quality) rows.push(["quality by", show(quality.evaluator)]);
  return rows;
}

const show = (value) => (typeof value === "string" ? value : JSON.stringify(value));

const drawRows = (rows) =>
  h(
    "dl",
    null,
    rows.flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value ?? "–")])
  );
