import assert from "node:assert/strict";
import {test} from "node:test";
import {placeMarks} from "../../dashboard/overlay.js";

const place = {left: 0, width: 1000, right: 100};
const view = [0, 1000];
const turn = (x, kind, severity) => ({x, alert: {kind, severity}});
const placed = (turns, restarts = []) =>
  placeMarks({place, view, turns, restarts}).map(({alert, word}) => [alert?.kind ?? "restart", word]);

test("of two alerts on one another the graver is seen, wherever it is", () => {
  const stability = turn(521, "stability", "warning");
  const turning = turn(520, "turning_point", "critical");
  assert.deepEqual(placed([turning, stability]), [["turning_point", "turning point"]]);
  assert.deepEqual(placed([turn(515, "stability", "warning"), turning]), [
    ["turning_point", "turning point"]
  ]);
  assert.deepEqual(placed([turn(10, "quality", "warning"), turn(12, "diversity", "warning")]), [
    ["quality", "quality"]
  ]);
});

test("alerts that have room are all there, and restarts where they leave some", () => {
  const turns = [turn(100, "quality", "warning"), turn(300, "mode_collapse", "critical")];
  const restarts = [305, 600].map((x) => ({x, word: "resumed", text: "Resumed"}));
  assert.deepEqual(placed(turns, restarts), [
    ["quality", "quality"],
    ["mode_collapse", "mode collapse"],
    ["restart", "resumed"]
  ]);
});
