import assert from "node:assert/strict";
import {beforeEach, test} from "node:test";
import {ApiError} from "../../dashboard/api.js";
import {Connection} from "../../dashboard/connection.js";
import {Stream} from "../../dashboard/stream.js";
import {Clock, FakeSource} from "./fakes.js";

const sources = FakeSource.opened;
beforeEach(() => sources.splice(0));

// A connection to a server whose answers the test decides.
function connect() {
  const clock = new Clock();
  const world = {clock, calls: [], states: [], failure: null, hidden: false};
  const answer = async (name) => {
    world.calls.push(name);
    if (world.failure) throw world.failure;
  };
  const env = clock.env({
    hidden: () => world.hidden,
    logIn: () => world.calls.push("log in"),
    onVisibility: (listener) => {
      world.look = listener;
      return () => (world.look = null);
    }
  });
  const sourceEnv = clock.env({open: (path) => new FakeSource(path), random: () => 1});
  const connection = new Connection(
    {
      run: null,
      poll: () => answer("poll"),
      load: () => answer("load"),
      onEvent: () => {},
      onHealth: ({state}) => world.states.push(state)
    },
    env,
    (run, handlers) => new Stream(() => "/api/events", handlers, sourceEnv)
  );
  connection.start();
  return Object.assign(world, {connection, take: () => world.calls.splice(0)});
}

async function connected() {
  const world = connect();
  sources[0].accept();
  sources[0].send("points");
  await world.clock.pass(0);
  world.take();
  return world;
}

test("the stream is open before anything is fetched", async () => {
  const {clock, connection, take} = connect();
  assert.equal(connection.health.state, "loading");
  await clock.pass(1000);
  assert.deepEqual(take(), []);
  sources[0].accept();
  await clock.pass(0);
  assert.deepEqual(take(), ["poll", "load"]);
  assert.equal(connection.health.state, "live");
});

test("without a stream the page still loads, and says that it is not live", async () => {
  const {clock, connection, take} = connect();
  await clock.pass(1500);
  assert.deepEqual(take(), ["poll", "load"]);
  await clock.pass(2500);
  assert.equal(connection.health.state, "stale");
  sources[0].accept();
  await clock.pass(0);
  assert.deepEqual(take(), ["poll", "load"], "what came before the stream opened may be missing");
  assert.equal(connection.health.state, "live");
});

test("while all is well only the regular request runs", async () => {
  const {clock, take, states} = await connected();
  await clock.pass(15_000);
  assert.deepEqual(take(), ["poll", "poll", "poll"]);
  assert.deepEqual(states, ["live"]);
});

test("a short cut is not worth a word, a long one says since when", async () => {
  const {clock, connection, states} = await connected();
  sources[0].cut();
  await clock.pass(1000);
  sources[0].accept();
  await clock.pass(3000);
  assert.deepEqual(states, ["live"]);
  const since = clock.time / 1000;
  sources[0].cut();
  await clock.pass(2500);
  assert.equal(connection.health.state, "stale");
  assert.equal(connection.health.since, since);
  sources[0].accept();
  assert.equal(connection.health.state, "live");
});

test("a dead server: stale, ever rarer requests, then everything is fetched anew", async () => {
  const world = await connected();
  const {clock, connection, take} = world;
  world.failure = new ApiError(0, "The server does not answer.");
  sources[0].cut();
  await clock.pass(120_000);
  assert.equal(connection.health.state, "stale");
  assert.match(connection.health.reason, /does not answer/);
  assert.ok(take().length <= 8, "requests back off");
  world.failure = null;
  sources[0].accept(); // resumed by its id
  await clock.pass(0);
  assert.deepEqual(take(), ["poll", "load"]);
  assert.equal(connection.health.state, "live");
});

test("Redis away while the line stays open: stale, then a new stream", async () => {
  const world = await connected();
  const {clock, connection} = world;
  world.failure = new ApiError(503, "Redis does not answer.");
  await clock.pass(5000);
  assert.deepEqual([connection.health.state, connection.health.status], ["stale", 503]);
  world.failure = null;
  await clock.pass(5000);
  assert.equal(sources.length, 2, "the line may have died with it");
  assert.equal(connection.health.state, "live");
});

test("a token that is not right ends the connection", async () => {
  const world = await connected();
  world.failure = new ApiError(403, "wrong token");
  await world.clock.pass(5000);
  assert.equal(world.connection.health.state, "error");
  assert.equal(world.connection.health.status, 403);
  world.take();
  await world.clock.pass(100_000);
  assert.deepEqual(world.take(), []);
  assert.ok(sources.at(-1).closed);
});

test("without a session the page goes to the login, once", async () => {
  const world = await connected();
  world.failure = new ApiError(401, "no token");
  await world.clock.pass(100_000);
  assert.deepEqual(world.take(), ["poll", "log in"]);
  assert.ok(sources.at(-1).closed);
});

test("a run that is gone is not shown, and is back once a trainer registers it again", async () => {
  const world = await connected();
  world.failure = new ApiError(404, "no such run");
  await world.clock.pass(5000);
  assert.equal(world.connection.health.state, "error");
  assert.equal(world.connection.health.status, 404);
  await world.clock.pass(100_000);
  world.take();
  await world.clock.pass(300_000);
  assert.ok(world.take().length <= 10, "it is asked for ever more rarely");
  world.failure = null;
  await world.clock.pass(30_000);
  assert.equal(world.connection.health.state, "live");
  assert.deepEqual(world.take().slice(0, 2), ["poll", "load"]);
});

test("a server that is away at first is an error that heals", async () => {
  const world = connect();
  world.failure = new ApiError(0, "The server does not answer.");
  await world.clock.pass(1500);
  assert.equal(world.connection.health.state, "error");
  world.failure = null;
  sources[0].accept();
  await world.clock.pass(0);
  assert.equal(world.connection.health.state, "live");
});

test("what a load missed is loaded with the next request", async () => {
  const world = connect();
  const {clock, take} = world;
  let tries = 0;
  world.connection.load = async () => {
    world.calls.push("load");
    if (++tries === 1) throw new ApiError(404, "no metric Q");
  };
  sources[0].accept();
  await clock.pass(0);
  assert.equal(world.connection.health.state, "error");
  await clock.pass(5000);
  assert.deepEqual(take(), ["poll", "load", "poll", "load"]);
  assert.equal(world.connection.health.state, "live");
});

test("what is missed while a load runs is loaded right after it", async () => {
  const {clock, connection, take} = await connected();
  let answer;
  const load = connection.load;
  connection.load = async () => {
    await load();
    await new Promise((resolve) => (answer = resolve));
  };
  sources[0].send("reset");
  await clock.pass(0);
  sources[0].send("reset");
  answer();
  await clock.pass(0);
  assert.deepEqual(take(), ["poll", "load", "poll", "load"]);
});

test("a hidden tab gives its line back and still asks now and then", async () => {
  const world = await connected();
  const {clock, take, states} = world;
  world.hidden = true;
  world.look();
  assert.ok(sources[0].closed);
  await clock.pass(5 * 60_000);
  assert.ok(take().length <= 6);
  assert.deepEqual(states, ["live"]);
  world.hidden = false;
  world.look();
  sources[1].accept();
  await clock.pass(0);
  assert.deepEqual(take(), ["poll", "load"]);
});

test("after a sleep the line is not trusted", async () => {
  const {clock} = await connected();
  clock.time += 3_600_000; // timers stood still
  await clock.pass(0);
  assert.equal(sources.length, 2);
});

test("stop ends everything", async () => {
  const {clock, connection, take} = await connected();
  connection.stop();
  await clock.pass(100_000);
  assert.deepEqual(take(), []);
  assert.ok(sources[0].closed);
});
