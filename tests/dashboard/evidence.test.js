import assert from "node:assert/strict";
import {test} from "node:test";
import {expectationOf, expectationTraces, median} from "../../dashboard/band.js";
import {placed} from "../../dashboard/evidence.js";
import {batchesOf, momentsOf, spacingOf, stretchesOf} from "../../dashboard/moments.js";
import {panelsOf} from "../../dashboard/panels.js";
import {methodOf, panelsAround} from "../../dashboard/surroundings.js";
import {noteOf} from "../../dashboard/triptych.js";
import {compareModes, describeModes} from "../../dashboard/vanished.js";
import {columns} from "./fakes.js";

const steps = [0, 200, 400, 600, 800, 1000, 1200];
const [panelS, panelQ, panelD] = panelsOf(["S.G", "Q", "D"]);

test("the batches before, at and after a change; what is not there yet is null", () => {
  assert.deepEqual(momentsOf({step: 600, detected_step: 1000}, steps), {
    before: 400,
    at: 600,
    after: 1000
  });
  const between = momentsOf({step: 610, detected_step: 650}, steps);
  assert.deepEqual(between, {before: 600, at: 800, after: 1000});
  const newest = momentsOf({step: 1200, detected_step: 1200}, steps);
  assert.deepEqual(newest, {before: 1000, at: 1200, after: null});
  assert.deepEqual(momentsOf({step: 5, detected_step: null}, []), {
    before: null,
    at: null,
    after: null
  });
});

test("batches without images count as well", () => {
  const held = {Q: columns([10, 30]), D: columns([30])};
  assert.deepEqual(batchesOf({steps: [20], series: {get: (name) => held[name]}}), [10, 20, 30]);
  assert.equal(noteOf("before", true), "No batch from before.");
  assert.match(noteOf("after", true), /next batch/);
  assert.match(noteOf("after", false), /any more/);
});

test("ten batches tell what was usual, two more and six after it are shown", () => {
  const many = Array.from({length: 40}, (_, i) => 100 * i);
  assert.equal(spacingOf(2000, many), 100);
  assert.deepEqual(stretchesOf({step: 2000, detected_step: 2300}, many), {
    calm: [1000, 2000],
    view: [800, 2900]
  });
  assert.deepEqual(stretchesOf({step: 300, detected_step: 300}, []), {
    calm: [0, 300],
    view: [0, 900]
  });
});

test("the band is the median with the robust scale of the points before, not under the floor", () => {
  const value = [4, 4.4, 4.2, 4.1, 4.3, 99, 1];
  const status = ["ok", "ok", "ok", "ok", "ok", "failed", "ok"];
  const rows = columns([1, 2, 3, 4, 5, 6, 7], {value, status});
  const found = expectationOf(panelD, rows, [1, 7]);
  assert.equal(found.count, 5);
  assert.equal(found.level, 4.2);
  // MAD 0.1: 0.1 / 0.6745 standard deviations, of which 1.25 are let pass
  assert.ok(Math.abs(found.high - 4.2 - (1.25 * 0.1) / 0.6745) < 1e-9);
  assert.ok(Math.abs(found.low + found.high - 2 * 4.2) < 1e-9);
  assert.equal(expectationOf(panelD, rows, [3, 6]), null, "three points tell no scale");
  const flat = columns([1, 2, 3, 4], {value: [0.9, 0.9, 0.9, 0.9]});
  assert.ok(Math.abs(expectationOf(panelQ, flat, [0, 9]).low - (0.9 - 1.25 * 0.03)) < 1e-9);
});

test("S is judged by its logarithm, and zeros are no observation", () => {
  const rows = columns([1, 2, 3, 4, 5], {value: [0.01, 0.01, 0, 0.01, 0.01]});
  const {level, low, high, count} = expectationOf(panelS, rows, [0, 9]);
  assert.equal(count, 4);
  assert.ok(Math.abs(level - 0.01) < 1e-12);
  assert.ok(Math.abs(low * high - 1e-4) < 1e-12);
  assert.ok(Math.abs(high / level - Math.exp(0.125)) < 1e-9);
});

test("the band is drawn in the panel's unit over the whole view", () => {
  const [degrees] = panelsOf(["S.G"], {unit: "deg"});
  const usual = {low: Math.PI / 180, level: Math.PI / 90, high: Math.PI / 60};
  const options = {axis: "step", view: [5, 9], color: "#abc", yaxis: "y2"};
  const [band, level] = expectationTraces(degrees, usual, options);
  assert.deepEqual(band.x, [5, 9, 9, 5]);
  assert.deepEqual(
    band.y.map((y) => Math.round(y)),
    [1, 1, 3, 3]
  );
  assert.deepEqual([level.yaxis, Math.round(level.y[0])], ["y2", 2]);
});

test("S, Q and D stand around it, and what else the alert speaks of", () => {
  const metrics = ["D", "D.cwj", "Q", "S.G", "S.G@epoch", "loss.D", "loss.G", "lr"];
  const keys = (named) => panelsAround({metrics: named}, metrics, {}).map(({key}) => key);
  assert.deepEqual(keys(["D", "Q"]), ["S", "Q", "D"]);
  assert.deepEqual(keys(["loss.D"]), ["S", "Q", "D", "loss"]);
  assert.deepEqual(keys(["D.cwj"]), ["S", "Q", "D", "D.cwj"]);
  assert.equal(panelsAround({metrics: []}, metrics, {})[1].range, null, "Q on its own stretch");
});

test("the page says whose the band is", () => {
  const expected = new Map([["D", {count: 9}]]);
  assert.match(methodOf(expected, [1800, 3800]), /^Shaded: .* steps 1,800 to 3,800 \(9 batches\)/);
  assert.match(methodOf(expected, [1800, 3800]), /Made here/);
  assert.match(methodOf(new Map(), [0, 1]), /Too few points/);
  assert.equal(median([3, 1, 2, 10]), 2.5);
});

const batch = (counts, more) => ({n: counts.reduce((a, b) => a + b), counts, ...more});

test("modes that came before and not after, the most frequent first, by their names", () => {
  const over = [{mode: 2, label: "Ada"}];
  const before = batch([10, 0, 80, 10], {over_represented: over});
  const after = batch([0, 5, 0, 95], {under_represented: [{mode: 0, label: "7"}]});
  const {seen, gone, chance, share} = compareModes(before, after);
  assert.equal(seen, 3);
  assert.deepEqual(gone, [
    {mode: 2, label: "Ada", count: 80},
    {mode: 0, label: "mode 7", count: 10}
  ]);
  assert.equal(share, 0.9);
  assert.ok(chance < 1e-4, "0.9 ** 100 twice");
  const named = compareModes(batch([1, 1], {labels: ["x", "y"]}), batch([0, 2]));
  assert.equal(named.gone[0].label, "x");
  assert.equal(compareModes(batch([1, 1]), batch([0, 2])).gone[0].label, "mode 0");
  assert.throws(() => compareModes(batch([1]), batch([1, 2])), /invalid modes: 1 before, 2 after/);
});

test("a rare mode may be missing by chance, and the page says so", () => {
  const rare = compareModes(batch([99, 1]), batch([100, 0]));
  assert.ok(Math.abs(rare.chance - 0.99 ** 100) < 1e-9);
  assert.match(
    describeModes({seen: 86, gone: Array(43), chance: 7.2, share: 0.44}),
    /^43 of 86 modes seen before did not come; 44% .* about 7 /
  );
  assert.match(describeModes({seen: 2, gone: [{}], chance: 0.1, share: 0.5}), /none by chance\.$/);
  assert.equal(
    describeModes({seen: 1, gone: [], chance: 0, share: 0}),
    "All 1 mode seen before came again."
  );
});

test("what has no step has no evidence", () => {
  assert.deepEqual(
    placed([
      {id: "a", step: null},
      {id: "b", step: 0}
    ]),
    [{id: "b", step: 0}]
  );
});
