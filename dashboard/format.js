// Numbers and times for people. A missing number is a dash, never NaN.

const missing = "–";
const minute = 60; // seconds
const hour = 60 * minute;
const day = 24 * hour;
const usual = 3; // significant digits: more would flicker in a live value without telling more
const tiny = 1e-4; // below, leading zeros hide the size: 3.1e-5
const huge = 1e6;
const grouped = new Intl.NumberFormat("en-US", {maximumFractionDigits: 0});
const angleUnits = ["rad", "deg"];

const known = (value) => typeof value === "number" && Number.isFinite(value);

export function formatNumber(value, digits = usual) {
  if (!known(value)) return missing;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < tiny || size >= huge) return value.toExponential(1).replace("e+", "e");
  if (size >= 1000) return grouped.format(value);
  return value.toPrecision(digits);
}

export const formatCount = (value) => (known(value) ? grouped.format(value) : missing);

export const plural = (count, one, many = `${one}s`) =>
  `${formatCount(count)} ${count === 1 ? one : many}`;

// Radians as they are stored, in the unit asked for.
export function angleIn(unit, radians) {
  if (!angleUnits.includes(unit)) throw new Error(`invalid unit: ${unit}`);
  return unit === "deg" && known(radians) ? (radians * 180) / Math.PI : radians;
}

// "3 s", "4 min", "2 h 05 min", "3 d 2 h": the two largest parts, from a minute on in minutes.
export function formatDuration(seconds) {
  if (!known(seconds)) return missing;
  const s = Math.max(0, Math.floor(seconds));
  if (s < minute) return `${s} s`;
  if (s < hour) return `${Math.floor(s / minute)} min`;
  const minutes = String(Math.floor((s % hour) / minute)).padStart(2, "0");
  if (s < day) return `${Math.floor(s / hour)} h ${minutes} min`;
  return `${Math.floor(s / day)} d ${Math.floor((s % day) / hour)} h`;
}

// A clock that runs a little ahead of this one is "now", not "in -1 s".
export function formatAge(time, now) {
  if (!known(time)) return missing;
  return now - time < 1 ? "now" : `${formatDuration(now - time)} ago`;
}

const pad = (number) => String(number).padStart(2, "0");

export function formatClock(time) {
  if (!known(time)) return missing;
  const d = new Date(time * 1000);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

export function formatDate(time) {
  if (!known(time)) return missing;
  const d = new Date(time * 1000);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${formatClock(time)}`;
}

export function formatBytes(bytes) {
  if (!known(bytes)) return missing;
  const names = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toPrecision(usual)} ${names[power]}`;
}

// "mode_collapse" -> "mode collapse"
export const formatKind = (kind) => String(kind ?? "").replaceAll("_", " ");

// Names without the words that all begin with: "faces-gp", "faces-plain" -> "…gp", "…plain"
export function tellApart(names) {
  const words = names.map((name) => name.match(/[^-_./ ]*[-_./ ]?/g).filter(Boolean));
  const most = names.length > 1 ? Math.min(...words.map(({length}) => length)) - 1 : 0;
  let alike = 0;
  while (alike < most && words.every((each) => each[alike] === words[0][alike])) alike += 1;
  return alike ? words.map((each) => `…${each.slice(alike).join("")}`) : names;
}
