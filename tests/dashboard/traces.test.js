import assert from "node:assert/strict";
import {test} from "node:test";
import {flawOf, readFully, readShortly} from "../../dashboard/reading.js";
import {placeLines} from "../../dashboard/sparkline.js";
import {bandOf, fromPlotTime, toPlotTime, tracesOf} from "../../dashboard/traces.js";
import {columns} from "./fakes.js";

const linear = {unit: "nats", scale: "linear"};
const log = {unit: "rad", scale: "log"};
const draw = (panel, held, more = {}) => {
  const options = {axis: "step", color: "#000", yaxis: "y2", floor: -1, ...more};
  const traces = tracesOf(panel, "D", held, options);
  return Object.fromEntries(traces.map((trace) => [trace.name, trace]));
};

test("the line carries the metric's name and every row, so that growth can be counted", () => {
  const {D} = draw(linear, columns([1, 2, 3]));
  assert.deepEqual([D.x, D.y, D.yaxis], [[1, 2, 3], [0.1, 0.2, 0.3], "y2"]);
  assert.equal(D.connectgaps, false);
});

test("a bad value is a gap with a mark of its kind, never a line across", () => {
  const held = columns([1, 2, 3, 4, 5, 6], {
    value: [1, null, null, 2.5, 3, 4],
    status: ["ok", "failed", "nonfinite", "insufficient", "ok", "ok"]
  });
  const {D, "D marks": marks} = draw(linear, held);
  assert.deepEqual(D.y, [1, null, null, null, 3, 4]);
  assert.deepEqual(marks.x, [1, 2, 3, 4]);
  assert.deepEqual(
    marks.y,
    [1, -1, -1, 2.5],
    "without a value at the floor, with one in its place"
  );
  assert.deepEqual(marks.marker.symbol, [
    "circle", // the lone good point, which a line would not show
    "x-thin-open",
    "triangle-up-open",
    "circle-open"
  ]);
});

test("zero has no place on a log axis and is marked at its floor", () => {
  const {D, "D marks": marks} = draw(log, columns([1, 2, 3, 4], {value: [0, 0.1, 0.2, 0.3]}));
  assert.deepEqual(D.y, [null, 0.1, 0.2, 0.3]);
  assert.deepEqual([marks.x, marks.y, marks.marker.symbol], [[1], [-1], ["triangle-down-open"]]);
});

test("degrees and times", () => {
  const held = columns([1, 2], {value: [Math.PI, Math.PI / 2]});
  const {D} = draw({...log, unit: "deg"}, held, {axis: "time"});
  assert.deepEqual(D.y, [180, 90]);
  assert.deepEqual(D.x.map(fromPlotTime), [1001, 1002]);
  const local = new Date(toPlotTime(1_795_300_000)).toISOString().slice(11, 19);
  assert.equal(local, new Date(1_795_300_000_000).toTimeString().slice(0, 8));
  assert.throws(() => draw(log, held, {axis: "frames"}), /invalid x: frames/);
});

test("times are those of the clock as it was then, also across its changes", () => {
  const {TZ} = process.env;
  process.env.TZ = "Europe/Berlin";
  try {
    for (const day of ["2026-07-01T08:00:00Z", "2026-11-29T08:00:00Z", "2026-03-29T01:30:00Z"]) {
      const time = Date.parse(day) / 1000;
      const local = new Date(toPlotTime(time)).toISOString().slice(11, 19);
      assert.equal(local, new Date(day).toTimeString().slice(0, 8));
      assert.equal(fromPlotTime(toPlotTime(time)), time);
    }
  } finally {
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
  }
});

test("the band is one closed polygon per unbroken stretch", () => {
  const held = columns([1, 2, 3, 4, 5], {stderr: [1, 1, 1, 2, 2], value: [5, 5, null, 6, 6]});
  const band = bandOf(held, held.step, held.value, linear);
  assert.deepEqual(band.x, [1, 2, 2, 1, null, 4, 5, 5, 4]);
  assert.deepEqual(band.y, [6, 6, 4, 4, null, 8, 8, 4, 4]);
});

test("without a standard error there is no band", () => {
  assert.deepEqual(Object.keys(draw(linear, columns([1, 2]))), ["D", "D marks"]);
  assert.deepEqual(bandOf(columns([1, 2]), [1, 2], [1, 2], linear), {x: [], y: []});
});

test("flaws and readings", () => {
  assert.equal(flawOf(linear, "ok", 0), null);
  assert.equal(flawOf(log, "ok", 0), "zero");
  assert.equal(flawOf(linear, "ok", null), "failed");
  const row = {status: "ok", value: 3.1, stderr: 0.05};
  assert.deepEqual([readShortly(linear, row), readFully(linear, row)], ["3.10", "3.10 ± 0.050"]);
  const few = {status: "insufficient", value: 2};
  assert.deepEqual(
    [readShortly(linear, few), readFully(linear, few)],
    ["insufficient", "2.00 insufficient"]
  );
  const none = {status: "failed", value: null};
  assert.deepEqual([readShortly(linear, none), readFully(linear, none)], ["failed", "failed"]);
  assert.equal(readShortly(log, {status: "ok", value: 0}), "0");
});

test("a sparkline breaks at a bad value and shows a lone point", () => {
  const held = columns([0, 1, 2, 3], {
    value: [0, null, 1, 1],
    status: ["ok", "failed", "ok", "ok"]
  });
  const [path] = placeLines([held], {...linear, range: [0, 1]});
  assert.equal(path.match(/M/g).length, 2);
  assert.match(path, /^M2\.0,24\.0m-1\.5,0h3M[^m]*$/);
  assert.doesNotMatch(path, /NaN|Infinity/);
  const constant = placeLines([columns([1], {value: [3]})], linear);
  assert.doesNotMatch(constant[0], /NaN|Infinity/);
  assert.deepEqual(placeLines([columns([])], linear), [""]);
});
