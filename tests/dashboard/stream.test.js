import assert from "node:assert/strict";
import {beforeEach, test} from "node:test";
import {Stream} from "../../dashboard/stream.js";
import {Clock, FakeSource} from "./fakes.js";

function streamOf() {
  const clock = new Clock();
  const log = [];
  const stream = new Stream(
    () => "/api/events",
    {
      onFresh: () => log.push("fresh"),
      onEvent: (type, data) => log.push([type, data]),
      onState: (open) => log.push(open ? "open" : "cut")
    },
    clock.env({open: (path) => new FakeSource(path), random: () => 1})
  );
  stream.open();
  return {clock, log, stream, take: () => log.splice(0)};
}

const sources = FakeSource.opened;
beforeEach(() => sources.splice(0));

test("a new stream says that everything has to be fetched", () => {
  const {take} = streamOf();
  assert.equal(sources[0].path, "/api/events");
  assert.deepEqual(take(), []);
  sources[0].accept();
  assert.deepEqual(take(), ["open", "fresh"]);
  sources[0].send("points", {run: "a"});
  assert.deepEqual(take(), [["points", {run: "a"}]]);
});

test("a line that the browser mends resumes by its last id: nothing is fetched", () => {
  const {take} = streamOf();
  sources[0].accept();
  sources[0].send("points");
  take();
  sources[0].cut();
  sources[0].accept();
  assert.deepEqual(take(), ["cut", "open"]);
  assert.equal(sources.length, 1);
});

test("a line that broke before its first id has nothing to resume from", () => {
  const {take} = streamOf();
  sources[0].accept();
  take();
  sources[0].cut();
  sources[0].accept();
  assert.deepEqual(take(), ["cut", "open", "fresh"]);
});

test("reset means fetch again", () => {
  const {take} = streamOf();
  sources[0].accept();
  sources[0].send("points");
  take();
  sources[0].send("reset");
  assert.deepEqual(take(), ["fresh"]);
});

test("a server that refuses is asked again, ever more rarely, at most every 30 s", async () => {
  const {clock, take} = streamOf();
  const waits = [];
  for (let i = 0; i < 8; ++i) {
    const before = clock.time;
    const count = sources.length;
    sources.at(-1).refuse();
    while (sources.length === count) await clock.pass(500);
    waits.push((clock.time - before) / 1000);
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
  take();
  sources.at(-1).accept();
  assert.deepEqual(take(), ["open", "fresh"]);
  sources.at(-1).refuse();
  await clock.pass(1000);
  assert.equal(sources.length, 10, "after a success the delay starts anew");
});

test("a closed stream is silent and stays closed", async () => {
  const {clock, take, stream} = streamOf();
  sources[0].accept();
  sources[0].refuse();
  take();
  stream.close();
  sources[0].accept();
  sources[0].cut();
  await clock.pass(100_000);
  assert.deepEqual(take(), []);
  assert.equal(sources.length, 1);
  assert.ok(sources[0].closed);
});

test("every kind of event arrives", () => {
  const {take} = streamOf();
  sources[0].accept();
  take();
  for (const type of ["points", "alert", "status", "stop", "thinned"])
    sources[0].send(type, {run: "a"});
  assert.deepEqual(
    take().map(([type]) => type),
    ["points", "alert", "status", "stop", "thinned"]
  );
});
