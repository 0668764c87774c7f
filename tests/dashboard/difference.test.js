import assert from "node:assert/strict";
import {test} from "node:test";
import {Comparison} from "../../dashboard/compare.js";
import {csvOf} from "../../dashboard/csv.js";
import {differenceOf} from "../../dashboard/difference.js";
import {figureOf, frameOf} from "../../dashboard/figure.js";
import {keyOf, lineName} from "../../dashboard/panels.js";
import {yRange} from "../../dashboard/ranges.js";
import {parseAddress} from "../../dashboard/state.js";
import {noteOf} from "../../dashboard/summary.js";
import {columns} from "./fakes.js";

test("a row of the other run minus this run's value there, which is linear between its rows", () => {
  const base = columns([0, 10, 20], {value: [1, 2, 4]});
  const other = columns([5, 10, 20, 25], {value: [2, 2, 5, 9]});
  const found = differenceOf(other, base, "step");
  assert.deepEqual(found.step, [5, 10, 20], "beyond the end there is nothing to subtract");
  assert.deepEqual(found.value, [0.5, 0, 1]);
  assert.deepEqual(found.epoch, [2.5, 5, 10]);
});

test("epochs align runs whose epochs have other numbers of steps", () => {
  const base = columns([0, 100, 200], {epoch: [0, 1, 2], value: [0, 1, 2]});
  const other = columns([0, 10, 15, 20], {epoch: [0, 1, 1.5, 2], value: [5, 5, 5, 5]});
  assert.deepEqual(differenceOf(other, base, "epoch").value, [5, 4, 3.5, 3]);
  const without = columns([0, 1], {epoch: [null, null]});
  assert.deepEqual(differenceOf(other, without, "epoch").step, []);
  assert.deepEqual(differenceOf(without, base, "epoch").step, []);
  assert.deepEqual(differenceOf(other, columns([]), "step").step, []);
});

test("what cannot be trusted in either run is a gap with its reason, errors add as squares", () => {
  const base = columns([0, 2, 4], {
    value: [1, null, 3],
    status: ["ok", "failed", "ok"],
    stderr: [0.3, null, 0.3]
  });
  const other = columns([0, 1, 2, 4], {
    value: [2, 2, 2, 9],
    status: ["ok", "ok", "ok", "insufficient"],
    stderr: [0.4, 0.4, 0.4, 0.4]
  });
  const found = differenceOf(other, base, "step");
  assert.deepEqual(found.value, [1, null, null, null]);
  assert.deepEqual(found.status, ["ok", "failed", "failed", "insufficient"]);
  assert.deepEqual(found.stderr, [0.5, null, null, null]);
});

const feedOf = (held) => ({
  detail: {metrics: Object.keys(held), status: "running"},
  connection: {health: {state: "live"}},
  ...{start: () => {}, stop: () => {}, want: () => {}, look: () => {}},
  seen: () => ({
    get: (name) => held[name] ?? columns([]),
    has: (name) => name in held,
    longest: () => Object.values(held)[0] ?? null
  })
});

const state = {...parseAddress("?difference=1&with=b"), ceiling: 4.6};

function compared() {
  const feeds = {
    b: feedOf({D: columns([1, 2], {value: [3, 2]}), "loss.G": columns([1])}),
    c: feedOf({D: columns([7]), Q: columns([7])})
  };
  const own = feedOf({D: columns([1, 2], {value: [1, 3]}), "S.G": columns([1, 2])});
  const comparison = new Comparison(
    "a",
    own,
    () => {},
    (run) => feeds[run]
  );
  comparison.choose(["b", "c"]);
  return comparison;
}

test("a panel for each metric that both have, a line for each other run, around zero", () => {
  const comparison = compared();
  const panels = comparison.panels(state);
  assert.deepEqual(
    panels.map((panel) => [panel.key, panel.metrics.map((key) => lineName(key, panel))]),
    [["D", ["b − a", "c − a"]]]
  );
  const [panel] = panels;
  const series = comparison.series(state);
  assert.deepEqual(series.get(panel.metrics[0]).value, [2, -1]);
  assert.deepEqual([series.has(panel.metrics[0]), series.has(keyOf("b − a", "Q"))], [true, false]);
  const all = panel.metrics.map(series.get);
  const [low, high] = yRange(panel, all, "step", null);
  assert.ok(low <= -1 && high >= 2 && high < 4, "neither floor nor ceiling of D");
  assert.deepEqual([panel.scale, panel.ceiling], ["linear", null]);
  assert.equal(panel.title, "Diversity difference");
  assert.equal(comparison.color(panel.metrics[0]), comparison.colorOf("b"));
  assert.equal(comparison.legend(state)[0].note, "running · subtracted");
  assert.equal(comparison.legend()[0].note, "running");
  const alone = {...panel, metrics: [panel.metrics[1]]};
  assert.equal(noteOf(alone, {}, series), "no step in common");
});

test("the figure has a line at zero, the CSV says what was subtracted", () => {
  const comparison = compared();
  const model = {
    panels: comparison.panels(state),
    series: comparison.series(state),
    axis: "step",
    ...{range: null, smoothing: 0, alerts: [], restarts: [], pinned: null, notes: {}},
    color: (key) => comparison.color(key)
  };
  const look = {resolve: (name) => name, font: "", faint: "#888", grid: "#eee"};
  const [, layout] = figureOf(frameOf(model, 800), look, "zoom");
  assert.deepEqual(
    layout.shapes.map(({y0, y1, line}) => [y0, y1, line.dash]),
    [[0, 0, "solid"]]
  );
  assert.match(csvOf(model, [2, 2]), /^run,metric,step,.*\r\nb − a,D,2,/);
});

test("runs share steps and epochs, no time", () => {
  assert.equal(parseAddress("?difference=1&with=b&x=time").x, "step");
  assert.equal(parseAddress("?difference=1&with=b&x=epoch").x, "epoch");
  assert.equal(parseAddress("?difference=yes&with=b").difference, false);
  assert.deepEqual(parseAddress("?difference=1&x=time"), parseAddress("?x=time"));
});
