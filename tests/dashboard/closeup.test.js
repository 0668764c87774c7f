import assert from "node:assert/strict";
import {test} from "node:test";
import {seriesPath} from "../../dashboard/api.js";
import {Closeup} from "../../dashboard/closeup.js";
import {Clock, columns, settle} from "./fakes.js";

const whole = columns([0, 400, 500, 1000]);
const series = {get: () => whole, has: () => true, longest: () => whole};
const view = (range, axis = "step") => ({axis, range, metrics: ["Q"]});

// A close-up whose requests are answered by hand.
function closeupOf() {
  const clock = new Clock();
  const {setTimeout: later, clearTimeout: cancel} = clock.env();
  const requests = [];
  const fetchSeries = (metrics, points, stretch, signal) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      requests.push({metrics, points, stretch, signal, resolve, reject});
    });
  const changes = [];
  const closeup = new Closeup(fetchSeries, () => changes.push(1), {later, cancel});
  const shown = () => closeup.over(series).get("Q").step;
  return {closeup, requests, changes, shown, clock};
}

test("a zoom fetches its stretch once and shows every step of it; zooming out returns", async () => {
  const {closeup, requests, changes, shown, clock} = closeupOf();
  for (let i = 0; i < 3; ++i) closeup.show(view([400, 500]), whole);
  await clock.pass(1000);
  closeup.show(view([400, 500]), whole);
  await clock.pass(1000);
  assert.deepEqual(
    requests.map(({stretch, points}) => [stretch, points]),
    [[[397, 503], 2000]]
  );
  assert.deepEqual(shown(), whole.step);
  requests[0].resolve({Q: columns([450, 451, 452])});
  await settle();
  assert.equal(changes.length, 1);
  assert.deepEqual(shown(), [0, 450, 451, 452, 1000]);
  closeup.show(view(null), whole);
  assert.deepEqual(shown(), whole.step);
});

test("zooms in quick succession ask once; one that is outdated is cancelled", async () => {
  const {closeup, requests, shown, clock} = closeupOf();
  closeup.show(view([0, 900]), whole);
  closeup.show(view([0, 800]), whole);
  await clock.pass(1000);
  assert.equal(requests.length, 1);
  closeup.show(view([0, 700]), whole);
  assert.equal(requests[0].signal.aborted, true);
  await clock.pass(1000);
  requests[1].resolve({Q: columns([5])});
  requests[0].resolve({Q: columns([6])});
  await settle();
  assert.deepEqual(shown(), [0, 400, 500, 1000].filter((s) => s > 700).toSpliced(0, 0, 5));
  closeup.show(view([600, 700]), whole);
  assert.ok(shown().includes(5), "what is there stays until the next stretch is here");
});

test("live points arrive in it; those beyond come from the whole run", async () => {
  const {closeup, requests, shown, clock} = closeupOf();
  closeup.show(view([900, 1100]), whole);
  await clock.pass(1000);
  closeup.add({Q: columns([1001])});
  requests[0].resolve({Q: columns([999, 1000])});
  await settle();
  closeup.add({Q: columns([1002, 5000])});
  assert.deepEqual(shown(), [0, 400, 500, 999, 1000, 1001, 1002]);
});

test("epochs convert into steps; without rows it waits for them", async () => {
  const {closeup, requests, clock} = closeupOf();
  closeup.show(view([100, 200], "epoch"), null);
  await clock.pass(1000);
  assert.equal(requests.length, 0);
  closeup.show(view([100, 200], "epoch"), whole);
  await clock.pass(1000);
  assert.deepEqual(requests[0].stretch, [195, 405]);
});

test("a stretch that did not come is asked for again", async () => {
  const {closeup, requests, shown, clock} = closeupOf();
  closeup.show(view([0, 10]), whole);
  await clock.pass(1000);
  requests[0].reject(new Error("away"));
  await settle();
  assert.deepEqual(shown(), whole.step);
  closeup.show(view([0, 10]), whole);
  await clock.pass(1000);
  assert.equal(requests.length, 2);
});

test("the stretch is in the path", () => {
  assert.equal(
    seriesPath("a/b", ["Q"], 2000, [0, 7]),
    "/api/runs/a%2Fb/series?metric=Q&points=2000&from=0&to=7"
  );
});
