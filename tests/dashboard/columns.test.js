import assert from "node:assert/strict";
import {test} from "node:test";
import {
  convertX,
  emptyColumns,
  lastRow,
  lowerBound,
  mergeRows,
  nearestIndex,
  rowAt,
  upperBound,
  xOf
} from "../../dashboard/columns.js";
import {columns} from "./fakes.js";

const merged = (...parts) => {
  const held = emptyColumns();
  const resumed = parts.map((part) => mergeRows(held, part));
  return {held, resumed: resumed.includes(true)};
};

test("the newest row at the very edge of the view is in it", () => {
  assert.deepEqual(
    [0, 5, 20_000, 3e9].map((x) => upperBound([0, 5, 20_000, 20_000], x)),
    [1, 2, 4, 4]
  );
  assert.equal(upperBound([], 1), 0);
});

test("rows append", () => {
  const {held, resumed} = merged(columns([1, 2]), columns([3, 4]));
  assert.deepEqual(held, columns([1, 2, 3, 4]));
  assert.equal(resumed, false);
});

test("the same rows twice are there once", () => {
  const {held, resumed} = merged(columns([1, 2, 3]), columns([2, 3, 4]));
  assert.deepEqual(held, columns([1, 2, 3, 4]));
  assert.equal(resumed, false);
});

test("a resumed run's newer rows hide the older ones from their first step on", () => {
  const newer = columns([3, 4], {time: [9003, 9004], value: [33, 44]});
  const {held, resumed} = merged(columns([1, 2, 3, 4, 5, 6]), newer);
  assert.deepEqual(held.step, [1, 2, 3, 4]);
  assert.deepEqual(held.value, [0.1, 0.2, 33, 44]);
  assert.equal(resumed, true);
});

test("a resumed run's first step may lie between two older ones", () => {
  const {held} = merged(columns([10, 20, 30]), columns([15], {time: [9015]}));
  assert.deepEqual(held.step, [10, 15]);
});

test("a row that a worker finished late is put in its place and hides nothing", () => {
  const {held, resumed} = merged(columns([1, 2, 5, 6]), columns([3, 4]));
  assert.deepEqual(held, columns([1, 2, 3, 4, 5, 6]));
  assert.equal(resumed, false);
});

test("a late row of the part that a resumed run hides stays hidden", () => {
  const {held} = merged(columns([1, 2]), columns([3, 5], {time: [9003, 9005]}), columns([3, 4]));
  assert.deepEqual(held.step, [1, 2, 3, 5]);
  assert.deepEqual(held.time, [1001, 1002, 9003, 9005]);
});

test("a clock that was set back does not stop new rows", () => {
  const {held} = merged(columns([1, 2]), columns([3], {time: [5]}));
  assert.deepEqual(held.step, [1, 2, 3]);
});

test("columns that an event leaves out are null", () => {
  const {held} = merged({step: [1], time: [1], value: [2], status: ["ok"]});
  assert.deepEqual(lastRow(held), {
    step: 1,
    epoch: null,
    time: 1,
    value: 2,
    stderr: null,
    n: null,
    status: "ok"
  });
});

test("rows outside are null", () => {
  assert.equal(lastRow(emptyColumns()), null);
  assert.equal(rowAt(columns([1]), 1), null);
  assert.equal(rowAt(columns([1]), -1), null);
});

test("bounds and nearest agree with a search through everything", () => {
  const sorted = [1, 3, 3, 8, 20];
  for (let x = -1; x < 23; x += 0.5) {
    assert.equal(lowerBound(sorted, x), sorted.filter((each) => each < x).length);
    const gaps = sorted.map((each) => Math.abs(each - x));
    assert.equal(gaps[nearestIndex(sorted, x)], Math.min(...gaps), `nearest to ${x}`);
  }
  assert.equal(nearestIndex([], 3), -1);
});

test("x converts between the axes, linear between the rows", () => {
  const held = columns([10, 20, 40]);
  assert.equal(convertX(held, "step", "epoch", 30), 15);
  assert.equal(convertX(held, "time", "step", 1015), 15);
  assert.equal(convertX(held, "step", "time", 60), 1060);
  assert.equal(convertX(columns([7]), "step", "epoch", 9), 3.5);
  assert.equal(convertX(emptyColumns(), "step", "epoch", 1), null);
  assert.equal(convertX(columns([1, 2], {epoch: [null, null]}), "step", "epoch", 1), null);
  assert.throws(() => xOf(held, "frame"), /invalid x: frame/);
});
