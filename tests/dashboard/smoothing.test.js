import assert from "node:assert/strict";
import {test} from "node:test";
import {smooth} from "../../dashboard/smoothing.js";
import {tracesOf} from "../../dashboard/traces.js";
import {columns} from "./fakes.js";

const close = (actual, expected) =>
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-12, `${actual}`));

test("each point is the mean of those within half a width, fewer at the ends", () => {
  close(smooth([0, 1, 2, 3, 10], [0, 3, 6, 9, 5], 2), [1.5, 3, 6, 7.5, 5]);
  close(smooth([0, 1, 2], [1, 2, 4], 0), [1, 2, 4]);
});

test("on a log axis it is the geometric mean", () => {
  close(smooth([0, 1, 2], [1, 100, 1], 2, true), [10, 100 ** (1 / 3), 10]);
});

test("gaps stay gaps and count for nothing; a huge value harms only its neighbours", () => {
  assert.deepEqual(smooth([0, 1, 2], [2, null, 4], 4), [3, null, 3]);
  assert.deepEqual(smooth([null, 1], [2, 4], 4), [null, 4]);
  assert.deepEqual(smooth([0, 1, 2, 3, 4], [1, 1e30, 1, 1, 1], 0.5).slice(2), [1, 1, 1]);
});

test("the raw line stays, faint, behind the smoothed one", () => {
  const panel = {unit: "nats", scale: "linear"};
  const options = {axis: "step", color: "#000", yaxis: "y", floor: 0};
  const held = columns([1, 2, 3], {value: [1, 2, 6]});
  const [raw, , mean] = tracesOf(panel, "D", held, {...options, width: 2});
  assert.deepEqual([raw.name, raw.y, raw.opacity < 0.5], ["D", [1, 2, 6], true]);
  assert.deepEqual([mean.name, mean.y], ["D mean", [1.5, 3, 4]]);
  const alone = tracesOf(panel, "D", held, options);
  assert.deepEqual([alone.length, alone[0].opacity], [2, 1]);
});
