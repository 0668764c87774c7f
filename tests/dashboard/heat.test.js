import assert from "node:assert/strict";
import {test} from "node:test";
import {cellCount, cellsOf, colorOf, scaleOf} from "../../dashboard/heat.js";
import {byNetwork} from "../../dashboard/panels.js";
import {columns} from "./fakes.js";

test("a cell holds the largest value of its stretch and the step of it", () => {
  const held = columns([0, 10, 20, 30, 40], {value: [1, 5, 2, 3, 9]});
  const cells = cellsOf(held, "step", [0, 40], 2);
  assert.deepEqual(cells, [
    {value: 5, step: 10},
    {value: 9, step: 40}
  ]);
  assert.deepEqual(cellsOf(held, "epoch", [10, 20], 1), [{value: 9, step: 40}]);
});

test("what has no place on a log scale leaves its cell empty", () => {
  const held = columns([0, 1, 2], {value: [0, null, 7], status: ["ok", "failed", "failed"]});
  assert.deepEqual(cellsOf(held, "step", [0, 3], 3), [null, null, null]);
  assert.equal(scaleOf([[null], []]), null);
});

test("as many cells as four points each fill, and no narrower than the eye", () => {
  const held = columns(Array.from({length: 100}, (_, i) => i));
  assert.equal(cellCount([columns([]), held], "step", [0, 99], 900), 25);
  assert.equal(cellCount([held], "step", [0, 99], 30), 10);
  assert.equal(cellCount([held], "step", [20, 29], 900), 2);
  assert.equal(cellCount([columns([])], "step", [0, 1], 900), 1);
});

test("colours run along the logarithm", () => {
  const scale = scaleOf([[{value: 0.001}, null], [{value: 0.1}]]);
  assert.deepEqual(scale, [0.001, 0.1]);
  assert.equal(colorOf(0.001, scale), "rgb(68 1 84)");
  assert.equal(colorOf(0.01, scale), "rgb(33 145 140)");
  assert.equal(colorOf(0.1, scale), "rgb(253 231 37)");
  assert.equal(colorOf(5, [5, 5]), "rgb(33 145 140)");
});

test("layers stand in the order of their networks and numbers", () => {
  const names = ["S.D/main.0", "S.G/main.10", "S.G/main.2", "S.A/x"];
  assert.deepEqual(names.sort(byNetwork), ["S.G/main.2", "S.G/main.10", "S.D/main.0", "S.A/x"]);
});
