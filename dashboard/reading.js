// A value as it is read: in the panel's unit, or why it cannot be trusted.

import {angleIn, formatNumber} from "./format.js";

const errorDigits = 2; // significant, of a standard error
const flaws = ["insufficient", "nonfinite", "failed"];

export const convertValue = (panel, value) =>
  panel.unit === "rad" || panel.unit === "deg" ? angleIn(panel.unit, value) : value;

// Why a row is not on the line; null when it is. Zero has no place on a log axis.
export function flawOf(panel, status, value) {
  if (flaws.includes(status)) return status;
  if (value === null || value === undefined) return "failed";
  return panel.scale === "log" && value <= 0 ? "zero" : null;
}

// "0.91" or "failed"
export function readShortly(panel, {status, value}, digits) {
  const flaw = flawOf(panel, status, value);
  return flaw && flaw !== "zero" ? flaw : formatNumber(convertValue(panel, value), digits);
}

// "0.91 ± 0.02", "0.85 insufficient", "failed"
export function readFully(panel, {status, value, stderr}) {
  const parts = value === null ? [] : [formatNumber(convertValue(panel, value))];
  if (stderr != null) parts.push("±", formatNumber(convertValue(panel, stderr), errorDigits));
  const flaw = flawOf(panel, status, value);
  return (flaw && flaw !== "zero" ? [...parts, flaw] : parts).join(" ");
}
