import assert from "node:assert/strict";
import {test} from "node:test";
import {SeriesStore} from "../../dashboard/series.js";
import {columns, settle} from "./fakes.js";

// A store whose requests are answered by hand.
function storeOf(points = 4) {
  const requests = [];
  const fetchSeries = (metrics, n) =>
    new Promise((resolve, reject) => requests.push({metrics, n, resolve, reject}));
  const changes = [];
  const clock = {time: 1};
  const store = new SeriesStore(fetchSeries, () => changes.push(1), points, () => clock.time);
  return {store, requests, changes, clock};
}

test("events while the series is fetched are neither lost nor doubled", async () => {
  const {store, requests} = storeOf();
  store.want(["Q"]);
  store.add({Q: columns([2, 3])}); // 2 is in the answer as well, 3 is not
  requests[0].resolve({Q: columns([1, 2])});
  await settle();
  store.add({Q: columns([4])});
  assert.deepEqual(store.get("Q"), columns([1, 2, 3, 4]));
});

test("what is held or on its way is not fetched again", async () => {
  const {store, requests} = storeOf();
  store.want(["Q", "D"]);
  store.want(["Q", "S.G"]);
  assert.deepEqual(
    requests.map(({metrics}) => metrics),
    [["Q", "D"], ["S.G"]]
  );
  assert.equal(requests[0].n, 4);
});

test("metrics that nobody asked for are not kept", () => {
  const {store} = storeOf();
  store.add({"loss.G": columns([1])});
  assert.equal(store.has("loss.G"), false);
  assert.deepEqual(store.get("loss.G").step, []);
});

test("after a reset the old rows stay until the new ones are here", async () => {
  const {store, requests} = storeOf();
  store.want(["Q"]);
  requests[0].resolve({Q: columns([1, 2])});
  await settle();
  const done = store.reset();
  store.add({Q: columns([9])});
  assert.deepEqual(store.get("Q").step, [1, 2, 9]);
  requests[1].resolve({Q: columns([1, 2, 5, 8])});
  await done;
  assert.deepEqual(store.get("Q").step, [1, 2, 5, 8, 9]);
});

test("after a gap only what was asked before its end comes again", async () => {
  const {store, requests, clock} = storeOf();
  store.want(["Q"]);
  requests[0].resolve({Q: columns([1])});
  await settle();
  clock.time += 10;
  const ended = clock.time;
  store.want(["D"]); // its answer holds what the gap hid
  const failed = store.reset(ended);
  assert.deepEqual(
    requests.slice(1).map(({metrics}) => metrics),
    [["D"], ["Q"]]
  );
  requests[2].reject(new Error("away"));
  await assert.rejects(failed, /away/);
  store.reset(ended);
  assert.deepEqual(requests[3].metrics, ["Q"], "what did not come is asked for again");
});

test("an answer that a later request has overtaken is dropped", async () => {
  const {store, requests} = storeOf();
  store.want(["Q"]);
  store.reset();
  requests[1].resolve({Q: columns([1, 2, 3])});
  await settle();
  requests[0].resolve({Q: columns([1])});
  await settle();
  assert.deepEqual(store.get("Q").step, [1, 2, 3]);
});

test("a series that grew too long is fetched again, downsampled", async () => {
  const {store, requests} = storeOf(4);
  store.want(["Q"]);
  requests[0].resolve({Q: columns([1, 2, 3, 4])});
  await settle();
  store.add({Q: columns([5, 6, 7, 8])});
  assert.equal(requests.length, 1);
  store.add({Q: columns([9])});
  store.add({Q: columns([10])});
  assert.equal(requests.length, 2);
  requests[1].resolve({Q: columns([1, 5, 9])});
  await settle();
  assert.deepEqual(store.get("Q").step, [1, 5, 9, 10]);
});

test("what comes while an answer is late does not lift the limit", async () => {
  const {store, requests} = storeOf(4);
  store.want(["Q"]);
  store.add({Q: columns([5, 6, 7, 8, 9, 10, 11, 12])});
  requests[0].resolve({Q: columns([1, 2, 3, 4])});
  await settle();
  assert.equal(requests.length, 2, "twelve rows are too many for four points");
  requests[1].resolve({Q: columns([1, 5, 9, 12])});
  await settle();
  assert.deepEqual(store.get("Q").step, [1, 5, 9, 12]);
  assert.equal(requests.length, 2);
});

test("a server that does not downsample is not asked for ever", async () => {
  const {store, requests} = storeOf(2);
  store.want(["Q"]);
  requests[0].resolve({Q: columns([1, 2, 3, 4, 5, 6, 7, 8, 9])});
  await settle();
  store.add({Q: columns([10])});
  assert.equal(requests.length, 1);
});

test("a request that failed can be made again", async () => {
  const {store, requests} = storeOf();
  const failed = store.want(["Q"]);
  requests[0].reject(new Error("away"));
  await assert.rejects(failed, /away/);
  assert.equal(store.has("Q"), false);
  store.want(["Q"]);
  requests[1].resolve({Q: columns([1])});
  await settle();
  assert.deepEqual(store.get("Q").step, [1]);
});

test("a metric the server knows nothing of is empty, not missing", async () => {
  const {store, requests} = storeOf();
  store.want(["Q"]);
  requests[0].resolve({});
  await settle();
  assert.equal(store.has("Q"), true);
  assert.deepEqual(store.get("Q").step, []);
});

test("many metrics are asked for in parts", () => {
  const {store, requests} = storeOf();
  store.want(Array.from({length: 60}, (_, i) => `loss.${i}`));
  assert.deepEqual(
    requests.map(({metrics}) => metrics.length),
    [25, 25, 10]
  );
});

test("a resumed run is noticed", async () => {
  const {store, requests} = storeOf();
  store.want(["Q"]);
  requests[0].resolve({Q: columns([1, 2, 3])});
  await settle();
  assert.equal(store.add({Q: columns([4])}), false);
  assert.equal(store.add({Q: columns([2], {time: [9002]})}), true);
});

test("the longest series and the newest time", async () => {
  const {store, requests} = storeOf();
  assert.equal(store.longest(), null);
  assert.equal(store.newestTime(), null);
  store.want(["Q", "D"]);
  requests[0].resolve({Q: columns([1, 9]), D: columns([2, 3, 4])});
  await settle();
  assert.deepEqual(store.longest().step, [2, 3, 4]);
  assert.equal(store.newestTime(), 1009);
});
