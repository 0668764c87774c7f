import assert from "node:assert/strict";
import {test} from "node:test";
import {gridPath} from "../../dashboard/api.js";
import {RunFeed} from "../../dashboard/feed.js";
import {columns, settle} from "./fakes.js";

const alert = (id, time) => ({id, run: "a b", kind: "turning_point", step: time, time});

// A feed whose connection the test plays; answers by the end of the path.
function feedOf(answers = {}) {
  const asked = [];
  const told = [];
  const connection = {beats: 0, refreshes: 0, beat: () => ++connection.beats};
  connection.refresh = () => ++connection.refreshes;
  const all = {"": {metrics: ["Q"], last_time: 5}, "/alerts": [], "/samples": [], ...answers};
  const feed = new RunFeed("a b", (what) => told.push(what), {
    get: async (path) => {
      asked.push(path);
      const [, end] = /^\/api\/runs\/a%20b(\/?[a-z]*)/.exec(path);
      return end === "/series" ? (all.series ?? {}) : await all[end];
    },
    connect: (options) => Object.assign(connection, options)
  });
  return {feed, asked, told, connection};
}

test("polls the description, loads the rest", async () => {
  const {feed, asked, told, connection} = feedOf({"/samples": [400, 200]});
  await connection.poll();
  await feed.want(["Q"]);
  await connection.load();
  assert.deepEqual(asked, [
    "/api/runs/a%20b",
    "/api/runs/a%20b/series?metric=Q&points=2000",
    "/api/runs/a%20b/alerts",
    "/api/runs/a%20b/samples",
    "/api/runs/a%20b/series?metric=Q&points=2000"
  ]);
  assert.deepEqual(feed.steps, [200, 400]);
  assert.ok(["detail", "series", "alerts", "samples"].every((what) => told.includes(what)));
});

test("alerts and grids that come while they are fetched are kept, each once", async () => {
  let answer;
  const late = new Promise((resolve) => (answer = resolve));
  const {feed, connection} = feedOf({"/alerts": late, "/samples": [200]});
  const loading = connection.load();
  connection.onEvent("alert", alert("b", 2));
  connection.onEvent("points", {series: {}, samples: [200, 400]});
  answer([alert("a", 1)]);
  await loading;
  assert.deepEqual(
    feed.alerts.map(({id}) => id),
    ["a", "b"]
  );
  assert.deepEqual(feed.steps, [200, 400]);
  connection.onEvent("alert", alert("b", 2));
  assert.equal(feed.alerts.length, 2);
});

test("a step that comes again has another picture, also after the list has lost it", async () => {
  const {feed, connection} = feedOf({"/samples": [200]});
  await connection.load();
  assert.equal(feed.takes.get(200), undefined);
  connection.onEvent("points", {series: {}, samples: [400]});
  connection.onEvent("thinned", {samples: [400]});
  connection.onEvent("points", {series: {}, samples: [200, 400]});
  assert.deepEqual([feed.takes.get(200), feed.takes.get(400)], [1, 2]);
  assert.equal(gridPath("a b", 200), "/api/runs/a%20b/samples/200");
  assert.equal(gridPath("a b", 400, 2), "/api/runs/a%20b/samples/400?take=2");
});

test("grids that were thinned leave the list, also while it is fetched", async () => {
  let answer;
  const late = new Promise((resolve) => (answer = resolve));
  const {feed, told, connection} = feedOf({"/samples": late});
  const loading = connection.load();
  connection.onEvent("thinned", {run: "a b", samples: [400]});
  answer([200, 400, 600, 800]);
  await loading;
  assert.deepEqual(feed.steps, [200, 600, 800]);
  told.length = 0;
  connection.onEvent("thinned", {run: "a b", samples: [600, 1000]});
  assert.deepEqual(feed.steps, [200, 800]);
  assert.deepEqual(told, ["samples"]);
});

test("a load forgets what the server no longer has", async () => {
  const {feed, connection} = feedOf({"/samples": [600]});
  connection.onEvent("points", {series: {}, samples: [200, 400]});
  await connection.load();
  assert.deepEqual(feed.steps, [600]);
});

test("a new metric asks for the description once, a tensor's never", async () => {
  const {connection} = feedOf();
  await connection.poll();
  const tensor = {"S.G/main.0.weight": columns([1])};
  connection.onEvent("points", {series: {Q: columns([1]), ...tensor}});
  assert.equal(connection.beats, 0);
  connection.onEvent("points", {series: {"loss/G": columns([1])}});
  connection.onEvent("points", {series: {"loss/G": columns([2])}});
  assert.equal(connection.beats, 1);
});

test("alerts and status changes ask for the verdict", () => {
  const {connection} = feedOf();
  connection.onEvent("alert", alert("a", 1));
  connection.onEvent("status", {status: "finished"});
  assert.equal(connection.beats, 2);
});

test("a resumed run is loaded anew", async () => {
  const {feed, connection} = feedOf({series: {Q: columns([1, 2, 3])}});
  await feed.want(["Q"]);
  connection.onEvent("points", {series: {Q: columns([4])}});
  assert.equal(connection.refreshes, 0);
  connection.onEvent("points", {series: {Q: columns([2], {time: [9002]})}});
  assert.equal(connection.refreshes, 1);
});

test("a run resumed by a process whose clock is behind is loaded anew as well", async () => {
  const segment = (first_step) => ({id: `${first_step}`, host: "box", started: 1, first_step});
  const detail = {metrics: ["Q"], segments: [segment(0)]};
  const {feed, connection} = feedOf({"": detail});
  await connection.poll();
  assert.equal(connection.refreshes, 0);
  detail.segments.push(segment(2));
  await connection.poll();
  await connection.poll();
  assert.equal(connection.refreshes, 1);
  assert.deepEqual(
    feed.restarts.map(({step}) => step),
    [2]
  );
});

test("the last point is the newest that was said or seen", async () => {
  const {feed, connection} = feedOf({series: {Q: columns([1, 2])}});
  assert.equal(feed.lastTime(), null);
  await connection.poll();
  assert.equal(feed.lastTime(), 5);
  await feed.want(["Q"]);
  await settle();
  assert.equal(feed.lastTime(), 1002);
});

test("a request to stop is told at once, and the description asked for again", async () => {
  const {feed, told, connection} = feedOf();
  feed.receive("stop", {run: "a b", stop: {by: "page"}});
  assert.equal(feed.detail, null, "nothing is known yet");
  await connection.poll();
  told.splice(0);
  const beats = connection.beats;
  feed.receive("stop", {run: "a b", stop: {by: "page"}});
  assert.deepEqual([feed.detail.stop, feed.detail.last_time], [{by: "page"}, 5]);
  feed.receive("stop", {run: "a b", stop: null});
  assert.equal(feed.detail.stop, null);
  assert.deepEqual([told, connection.beats - beats], [["detail", "detail"], 2]);
});
