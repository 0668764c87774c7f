import assert from "node:assert/strict";
import {test} from "node:test";
import {Row} from "../../dashboard/row.js";

// Without a page: only what the row knows.
const rowOf = (last_step, latest = {}) =>
  Object.assign(Object.create(Row.prototype), {fresh: {}, summary: {last_step, latest}});

test("a batch that is evaluated late does not take the step back", () => {
  const row = rowOf(900, {Q: {step: 600, value: 0.8}});
  row.add({Q: {step: 800, value: 0.9}}, 800);
  assert.equal(row.summary.last_step, 900);
  row.add({Q: {step: 1000, value: 0.7}}, 1000);
  assert.equal(row.summary.last_step, 1000);
  assert.deepEqual(row.summary.latest.Q, {step: 1000, value: 0.7});
});

test("the newest rows wait for the tick, one of each metric", () => {
  const row = rowOf(null, {Q: {step: 1}, "S.G": {step: 1}});
  row.add({Q: {step: 2}}, 2);
  row.add({Q: {step: 3}, "S.G": {step: 3}}, undefined);
  assert.deepEqual(row.fresh, {Q: {step: 3}, "S.G": {step: 3}});
  assert.equal(row.summary.last_step, 2);
});

test("a metric that is new is learnt, one that is known is not", () => {
  const row = rowOf(5, {Q: {step: 5}});
  row.add({Q: {step: 6}}, 6);
  row.add({D: {step: 6}}, 6);
  assert.deepEqual(
    row.panels.flatMap(({metrics}) => metrics),
    ["Q", "D"]
  );
});
