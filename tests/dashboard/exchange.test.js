import assert from "node:assert/strict";
import {beforeEach, test} from "node:test";
import {Exchange} from "../../dashboard/exchange.js";
import {Line} from "../../dashboard/line.js";
import {Clock, FakeSource} from "./fakes.js";

const sources = FakeSource.opened;
beforeEach(() => sources.splice(0));

function exchangeOf() {
  const clock = new Clock();
  const env = clock.env({open: (path) => new FakeSource(path), random: () => 1});
  return {clock, exchange: new Exchange(env)};
}

// A port that keeps what it is sent.
function portOf() {
  const heard = [];
  return {heard, postMessage: (message) => heard.push(message), take: () => heard.splice(0)};
}

const queryOf = ({path}) => new URLSearchParams(path.split("?")[1]);

const start = (source, id) => {
  source.accept();
  source.send("start", {}, id);
};

test("tabs of one run, another run and the list share one line", async () => {
  const {clock, exchange} = exchangeOf();
  const ports = ["a", "a", "b/ü&", null].map((run) => {
    const port = portOf();
    exchange.receive(port, {open: run});
    return port;
  });
  await clock.pass(100);
  assert.equal(sources.length, 1);
  assert.deepEqual(queryOf(sources[0]).getAll("run"), ["a", "b/ü&"]);
  assert.equal(queryOf(sources[0]).get("newest"), "true");
  start(sources[0], "0:1-0,2-0,3-0");
  for (const port of ports) assert.deepEqual(port.take(), [{open: true}, {fresh: true}]);
  sources[0].send("points", {run: "a"}, "1:1-0,4-0,3-0");
  const heard = [{type: "points", data: {run: "a"}}];
  assert.deepEqual(
    ports.map((port) => port.take()),
    [heard, heard, [], []]
  );
  sources[0].send("alert", {id: 1}, "0:5-0,4-0,3-0");
  assert.deepEqual(
    ports.map((port) => port.take().length),
    [0, 0, 0, 1]
  );
});

test("a tab that comes later takes nothing from the others, and they go on where they were", async () => {
  const {clock, exchange} = exchangeOf();
  const [first, second] = [portOf(), portOf()];
  exchange.receive(first, {open: "a"});
  await clock.pass(100);
  start(sources[0], "0:1-0");
  sources[0].send("points", {}, "0:7-0");
  first.take();
  exchange.receive(second, {open: "b"});
  await clock.pass(100);
  assert.ok(sources[0].closed);
  assert.equal(queryOf(sources[1]).get("last_event_id"), "7-0,");
  start(sources[1], "0:7-0,9-0");
  assert.deepEqual(first.take(), [{open: true}]);
  assert.deepEqual(second.take(), [{open: true}, {fresh: true}]);
});

test("a second tab of a run needs no other line", async () => {
  const {clock, exchange} = exchangeOf();
  exchange.receive(portOf(), {open: "a"});
  await clock.pass(100);
  start(sources[0], "0:1-0");
  const port = portOf();
  exchange.receive(port, {open: "a"});
  await clock.pass(100);
  assert.equal(sources.length, 1);
  assert.deepEqual(port.take(), [{open: true}, {fresh: true}]);
});

test("a cut is told to all; a line that resumed is not fresh; what is lost is reset alone", async () => {
  const {clock, exchange} = exchangeOf();
  const [a, b] = [portOf(), portOf()];
  exchange.receive(a, {open: "a"});
  exchange.receive(b, {open: "b"});
  await clock.pass(100);
  start(sources[0], "0:1-0,2-0");
  [a, b].forEach((port) => port.take());
  sources[0].cut();
  assert.deepEqual([a.take(), b.take()], [[{open: false}], [{open: false}]]);
  start(sources[0], "0:1-0,2-0");
  assert.deepEqual([a.take(), b.take()], [[{open: true}], [{open: true}]]);
  sources[0].send("reset", {}, "1:1-0,5-0");
  assert.deepEqual([a.take(), b.take()], [[], [{fresh: true}]]);
});

test("a server that refused is asked from where the tabs are", async () => {
  const {clock, exchange} = exchangeOf();
  const port = portOf();
  exchange.receive(port, {open: "a"});
  await clock.pass(100);
  start(sources[0], "0:1-0");
  sources[0].send("points", {}, "0:8-0");
  sources[0].refuse();
  await clock.pass(2000);
  assert.equal(queryOf(sources[1]).get("last_event_id"), "8-0");
});

test("a tab that does not trust the line gets a new one, and nothing that it missed", async () => {
  const {clock, exchange} = exchangeOf();
  const [one, other] = [portOf(), portOf()];
  exchange.receive(one, {open: "a"});
  exchange.receive(other, {open: "a"});
  await clock.pass(100);
  start(sources[0], "0:1-0");
  [one, other].forEach((port) => port.take());
  exchange.receive(one, {open: "a"});
  await clock.pass(100);
  start(sources[1], "0:1-0");
  assert.deepEqual(one.take(), [{open: true}, {fresh: true}]);
  assert.deepEqual(other.take(), [{open: true}]);
});

test("the last tab that goes takes the line with it", async () => {
  const {clock, exchange} = exchangeOf();
  const port = portOf();
  exchange.receive(port, {open: "a"});
  await clock.pass(100);
  start(sources[0], "0:1-0");
  exchange.receive(port, {close: true});
  await clock.pass(100);
  assert.ok(sources[0].closed);
  assert.equal(sources.length, 1);
});

// A tab's end, at a worker that the test speaks for.
function lineOf() {
  const clock = new Clock();
  const log = [];
  const workers = [];
  const connect = () => {
    const worker = {port: {...portOf(), close: () => (worker.closed = true)}};
    workers.push(worker);
    return worker;
  };
  const line = new Line(
    "a",
    {
      onState: (open) => log.push(open ? "open" : "cut"),
      onFresh: () => log.push("fresh"),
      onEvent: (type, data) => log.push([type, data])
    },
    clock.env({connect})
  );
  line.open();
  return {clock, line, workers, say: (data) => workers.at(-1).port.onmessage({data}), log};
}

test("a tab hears what the worker says", () => {
  const {say, log, workers} = lineOf();
  assert.deepEqual(workers[0].port.heard, [{open: "a"}]);
  for (const message of [{}, {open: true}, {fresh: true}, {type: "points", data: {run: "a"}}]) {
    say(message);
  }
  assert.deepEqual(log, ["open", "fresh", ["points", {run: "a"}]]);
});

test("a worker that died without a word is replaced", async () => {
  const {clock, say, log, workers} = lineOf();
  say({open: true});
  for (let i = 0; i < 10; ++i) {
    await clock.pass(5000);
    say({}); // alive
  }
  assert.deepEqual(log, ["open"]);
  await clock.pass(17_000);
  assert.deepEqual(log, ["open", "cut"]);
  assert.ok(workers[0].closed);
  assert.deepEqual(workers[1].port.heard, [{open: "a"}]);
});

test("a tab that closes says so and hears nothing more", async () => {
  const {clock, line, log, workers} = lineOf();
  line.close();
  assert.deepEqual(workers[0].port.heard.at(-1), {close: true});
  assert.ok(workers[0].closed);
  await clock.pass(100_000);
  assert.equal(workers.length, 1);
  assert.deepEqual(log, []);
});
