import assert from "node:assert/strict";
import {test} from "node:test";
import {Comparison, mostRuns} from "../../dashboard/compare.js";
import {csvOf, allPointsPath} from "../../dashboard/csv.js";
import {keyOf, lineName} from "../../dashboard/panels.js";
import {Polling} from "../../dashboard/polling.js";
import {Clock, columns, settle} from "./fakes.js";

// A run's feed as the comparison needs it.
function fakeFeed(metrics, held) {
  const series = {get: (name) => held[name] ?? columns([]), has: (name) => name in held};
  return {
    detail: {metrics, status: "running"},
    connection: {health: {state: "live"}},
    asked: [],
    looked: [],
    start: () => {},
    stop() {
      this.stopped = true;
    },
    want(names) {
      this.asked.push(names);
    },
    look(view) {
      this.looked.push(view);
    },
    seen: () => ({...series, longest: () => Object.values(held)[0] ?? null})
  };
}

function compared() {
  const feeds = {
    "b, <i>": fakeFeed(["S.G", "Q"], {"S.G": columns([1, 2])}),
    c: fakeFeed(["Q", "loss.G"], {Q: columns([5])})
  };
  const own = fakeFeed(["S.G", "S.D", "Q"], {"S.G": columns([1, 2, 3])});
  const comparison = new Comparison(
    "a",
    own,
    () => {},
    (run) => feeds[run] ?? fakeFeed([], {})
  );
  return {comparison, feeds, own};
}

test("each panel holds one metric, with a line for each run that has it", () => {
  const {comparison} = compared();
  assert.equal(comparison.active, false);
  comparison.choose(["b, <i>", "a", "c"]);
  assert.equal(comparison.active, true);
  const panels = comparison.panels({open: ["scalars"]});
  assert.deepEqual(
    panels.map((panel) => [panel.key, panel.metrics.map((key) => lineName(key, panel))]),
    [
      ["S.G", ["a", "b, <i>"]],
      ["S.D", ["a"]],
      ["Q", ["a", "b, <i>", "c"]],
      ["loss.G", ["c"]]
    ]
  );
  const series = comparison.series();
  assert.deepEqual(series.get(keyOf("b, <i>", "S.G")).step, [1, 2]);
  assert.deepEqual([series.has(keyOf("c", "Q")), series.has(keyOf("a", "Q"))], [true, false]);
  assert.deepEqual(series.longest().step, [1, 2, 3]);
  assert.equal(comparison.color(panels[0].metrics[1]), comparison.legend()[1].color);
});

test("the other runs are asked for what is shown of them, in the same stretch", () => {
  const {comparison, feeds, own} = compared();
  comparison.choose(["c"]);
  comparison.want({open: []}, {axis: "step", range: [1, 2]});
  assert.deepEqual(feeds.c.asked, [["Q"]]);
  assert.deepEqual(feeds.c.looked, [{axis: "step", range: [1, 2], metrics: ["Q"]}]);
  assert.deepEqual(own.asked, []);
});

test("a run that is taken out stops; the page's own stays; no more than there are colours", () => {
  const {comparison, feeds, own} = compared();
  comparison.choose(["b, <i>", "c"]);
  comparison.choose(["c"]);
  assert.deepEqual([feeds["b, <i>"].stopped, feeds.c.stopped], [true, undefined]);
  comparison.choose(Array.from({length: 20}, (_, i) => `r${i}`));
  const entries = comparison.legend();
  assert.equal(entries.length, mostRuns);
  assert.equal(new Set(entries.map(({color}) => color)).size, mostRuns);
  comparison.stop();
  assert.deepEqual([comparison.active, own.stopped], [false, undefined]);
});

test("a CSV of several runs says whose each row is", () => {
  const {comparison} = compared();
  comparison.choose(["b, <i>"]);
  const model = {panels: comparison.panels({}), series: comparison.series(), axis: "step"};
  const lines = csvOf(model, [2, 2]).split("\r\n");
  assert.match(lines[0], /^run,metric,step,/);
  assert.match(lines[1], /^a,S\.G,2,/);
  assert.match(lines[2], /^"b, <i>",S\.G,2,/);
  const path = allPointsPath("b, <i>", {...model, range: null});
  assert.match(path, /^\/api\/runs\/b%2C%20%3Ci%3E\/series\?metric=S\.G&metric=Q&points=0/);
});

test("a run that is only compared is asked for, rarely when it does not train", async () => {
  const clock = new Clock();
  const {setTimeout: later, clearTimeout: cancel} = clock.env();
  let [turns, live, fails] = [0, true, false];
  const load = async () => {
    ++turns;
    if (fails) throw new Error("no run is called 'c'");
  };
  const options = {poll: async () => {}, load, onHealth: () => {}};
  const polling = new Polling(options, () => live, {later, cancel});
  await polling.start();
  await clock.pass(10_000);
  assert.equal(turns, 2);
  [live, fails] = [false, true];
  await clock.pass(10_000);
  assert.deepEqual(polling.health, {state: "error", message: "no run is called 'c'"});
  fails = false;
  await clock.pass(10_000);
  assert.equal(turns, 4);
  await clock.pass(59_000);
  assert.equal(turns, 4, "it was lost or has ended");
  live = true;
  await clock.pass(1_000);
  await clock.pass(10_000);
  assert.equal(turns, 6, "and was heard again");
  live = false;
  await clock.pass(10_000);
  polling.refresh();
  polling.refresh();
  await clock.pass(10_000);
  assert.equal(turns, 8, "once more for what did not come");
  polling.stop();
  polling.refresh();
  await clock.pass(60_000);
  await settle();
  assert.equal(turns, 8);
});
