import assert from "node:assert/strict";
import {test} from "node:test";
import {ordered, orderNames, orders} from "../../dashboard/order.js";

const at = (time, value) => ({time, value});
const runs = [
  {id: "run-10", verdict: {level: "healthy"}, latest: {Q: at(5, 0.9), D: at(5, 3.1)}},
  {id: "run-9", verdict: {level: "turned"}, latest: {Q: at(9, 0.2), D: at(9, 0.4)}},
  {id: "Run-1", status: "running", latest: {}, last_time: null},
  {id: "run-2", verdict: {level: "unheard-of"}, latest: {Q: at(7, null), "S.G": at(8, 0.1)}}
];
const names = (order) => ordered(runs, order).map(({id}) => id);

test("every order has a name, and the server's is the first", () => {
  assert.deepEqual(Object.keys(orderNames), orders);
  assert.deepEqual(names(orders[0]), ["run-10", "run-9", "Run-1", "run-2"]);
});

test("what may be wrong comes before what is well", () => {
  assert.deepEqual(names("state"), ["run-9", "Run-1", "run-2", "run-10"]);
});

test("names are ordered as people count", () => {
  assert.deepEqual(names("name"), ["Run-1", "run-2", "run-9", "run-10"]);
});

test("the latest point of any metric decides, and runs without one come last", () => {
  assert.deepEqual(names("latest"), ["run-9", "run-2", "run-10", "Run-1"]);
});

test("runs without a value come last, in the server's order", () => {
  assert.deepEqual(names("Q"), ["run-9", "run-10", "Run-1", "run-2"]);
  assert.deepEqual(names("D"), ["run-9", "run-10", "Run-1", "run-2"]);
});

test("the list that came is left as it is", () => {
  const before = [...runs];
  ordered(runs, "name");
  assert.deepEqual(runs, before);
});
