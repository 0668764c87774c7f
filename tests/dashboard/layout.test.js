import assert from "node:assert/strict";
import {test} from "node:test";
import {figureOf, frameOf} from "../../dashboard/figure.js";
import {logTicks, placePanels, xAtPixel, xPixel, yPixel} from "../../dashboard/layout.js";
import {keyOf, panelsOf} from "../../dashboard/panels.js";
import {fullRange, roundUp, yRange} from "../../dashboard/ranges.js";
import {convertView, scaleView, viewAround} from "../../dashboard/view.js";
import {columns} from "./fakes.js";

const log = {key: "S", unit: "rad", scale: "log"};

test("round numbers", () => {
  assert.deepEqual([0.003, 0.02, 7, 10, 11, 230].map(roundUp), [0.005, 0.02, 10, 10, 20, 500]);
});

test("the live edge moves in whole steps, not with every point", () => {
  const edge = (last) => fullRange([columns([0, last])], "step")[1];
  const edges = new Set(Array.from({length: 400}, (_, i) => edge(10_000 + i)));
  assert.ok(edges.size <= 3, `${edges.size} edges`);
  for (const last of [3, 97, 10_001, 2e6]) {
    assert.ok(edge(last) >= last && edge(last) <= last * 1.06, `${edge(last)} for ${last}`);
  }
});

test("ranges of nothing, of one point and of an unknown epoch", () => {
  assert.equal(fullRange([columns([])], "step"), null);
  assert.deepEqual(fullRange([columns([5])], "step"), [4, 6]);
  assert.equal(fullRange([columns([1, 2], {epoch: [null, null]})], "epoch"), null);
  assert.throws(() => fullRange([columns([1])], "frames"), /invalid x: frames/);
});

test("a log range holds every good value in view and no bad one", () => {
  const held = columns([1, 2, 3, 4], {
    value: [0.001, 0.09, 1e6, 0.5],
    status: ["ok", "ok", "failed", "ok"]
  });
  const [low, high] = yRange(log, [held], "step", [1, 3]);
  assert.ok(low <= -3 && low > -3.3 && high >= Math.log10(0.09) && high < -0.7);
  assert.ok(yRange(log, [held], "step", null)[1] > Math.log10(0.5));
});

test("a view between two points holds the line that joins them", () => {
  const held = columns([0, 100, 200], {value: [7, 8, 90]});
  const [low, high] = yRange({scale: "linear"}, [held], "step", [40, 60]);
  assert.ok(low <= 7 && low > 0 && high >= 8 && high < 10, `${low} ${high}`);
});

test("Q is 0 to 1, D reaches from 0 to its ceiling, scalars hold their values", () => {
  const held = columns([1, 2], {value: [-3, 7]});
  assert.deepEqual(yRange({range: [0, 1], scale: "linear"}, [held], "step", null), [0, 1]);
  const [floor, top] = yRange({scale: "linear", floor: 0, ceiling: 4.6}, [held], "step", [0, 1]);
  assert.ok(floor === 0 && top > 4.6 && top < 5);
  const [low, high] = yRange({scale: "linear"}, [held], "step", null);
  assert.ok(low <= -3 && high >= 7 && high - low < 16);
  assert.deepEqual(yRange({scale: "linear"}, [columns([])], "step", null), [0, 1]);
  const [under, over] = yRange({scale: "linear"}, [columns([1], {value: [5]})], "step", null);
  assert.ok(under <= 5 && over > 5);
});

test("pixels and values convert back and forth", () => {
  const place = placePanels(panelsOf([]), 900);
  assert.equal(xPixel(place, [100, 200], 100), place.left);
  assert.equal(xAtPixel(place, [100, 200], xPixel(place, [100, 200], 142)), 142);
  const box = {panel: log, top: 50, height: 100};
  assert.equal(yPixel(box, [-4, 0], 0.01), 100);
  assert.equal(yPixel({...box, panel: {scale: "linear"}}, [0, 1], 1), 50);
});

test("panels stand one below the other without overlap", () => {
  const {boxes, height, bottom} = placePanels(panelsOf(["loss.G"], {open: ["scalars"]}), 900);
  boxes.slice(1).forEach((box, i) => assert.ok(box.headTop >= boxes[i].top + boxes[i].height));
  assert.equal(bottom, boxes.at(-1).top + boxes.at(-1).height);
  assert.ok(height > bottom);
});

test("names of compared runs get more room than those of networks, or leave it to the curves", () => {
  const alone = panelsOf(["Q"]);
  const compared = [{...alone[0], metrics: [keyOf("other", "Q")]}];
  const rights = [alone, compared].map((panels) => placePanels(panels, 900).right);
  assert.ok(rights[1] > rights[0]);
  const narrow = [alone, compared].map((panels) => placePanels(panels, 330));
  assert.ok(narrow[1].right < narrow[0].right);
  const named = [...narrow, placePanels(compared, 900)].map((place) => place.named);
  assert.deepEqual(named, [true, false, true]);
  for (const width of [330, 900]) {
    const place = placePanels(compared, width);
    assert.equal(place.left + place.width + place.right, width);
  }
});

test("log ticks are whole decades, with 2 and 5 on a short axis", () => {
  assert.deepEqual(logTicks([-3.2, 0.1]), [0.001, 0.01, 0.1, 1]);
  assert.deepEqual(logTicks([-3.1, -2]), [0.001, 0.002, 0.005, 0.01]);
});

const alert = {step: 100, detected_step: 110, severity: "critical", kind: "turning_point"};

function frame(more = {}) {
  const held = {"S.G": columns([1, 200], {value: [0.1, 0.2]}), Q: columns([100])};
  const series = {get: (name) => held[name] ?? columns([]), longest: () => held["S.G"]};
  const panels = panelsOf(["S.G", "Q"], {ceiling: 4.6});
  const model = {
    panels,
    series,
    axis: "step",
    range: null,
    smoothing: 0,
    alerts: [alert],
    pinned: null
  };
  return frameOf({...model, color: () => "--blue", notes: {}, restarts: [], ...more}, 800);
}
const look = {resolve: (name) => name, font: "x", faint: "f", grid: "g"};

test("a figure shares one x axis and marks the turning point across all panels", () => {
  const [traces, layout] = figureOf(frame({pinned: 200}), look, "zoom");
  assert.deepEqual(
    ["S.G", "Q"].map((name) => traces.find((trace) => trace.name === name).x.length),
    [2, 1]
  );
  const vertical = layout.shapes.filter(({yref}) => yref === "paper");
  assert.deepEqual(
    vertical.map(({x0, line}) => [x0, line.color, line.dash]),
    [
      [100, "--bad", "dash"],
      [200, "--accent", "solid"]
    ]
  );
  assert.equal(layout.shapes.filter(({y0}) => y0 === 4.6).length, 1, "the ceiling of D");
  assert.equal(layout.xaxis.anchor, "y3");
  assert.deepEqual(
    [layout.yaxis.showticklabels, layout.yaxis2.showticklabels, layout.yaxis3.showticklabels],
    [true, true, false]
  );
  const domains = [layout.yaxis3.domain, layout.yaxis2.domain, layout.yaxis.domain].flat();
  assert.deepEqual(
    domains,
    [...domains].sort((a, b) => a - b)
  );
});

test("what is over is marked faintly", () => {
  const [, {shapes}] = figureOf(frame({alerts: [{...alert, resolved: true}]}), look, "zoom");
  const [{line}] = shapes.filter(({yref}) => yref === "paper");
  assert.deepEqual([line.color, line.dash], ["--faint", "dash"]);
});

test("a restart is a thin line across all panels, below the turning points", () => {
  const restarts = [{step: 60, time: 1060, text: "Resumed at step 60"}];
  const [, {shapes}] = figureOf(frame({restarts, axis: "time"}), look, "zoom");
  const vertical = shapes.filter(({yref}) => yref === "paper");
  assert.deepEqual(
    vertical.map(({line}) => [line.color, line.dash, line.width]),
    [
      ["f", "dot", 1],
      ["--bad", "dash", 1]
    ]
  );
  assert.equal(frame({restarts, axis: "time"}).restarts[0].x, 1060);
  const empty = {get: () => columns([]), longest: () => null};
  assert.deepEqual(frame({restarts, series: empty}).restarts, []);
});

test("alerts without a step have no mark", () => {
  assert.equal(frame({alerts: [{...alert, step: null}]}).turns.length, 0);
});

test("a zoomed view stays where it is", () => {
  assert.deepEqual(frame({range: [10, 20]}).view, [10, 20]);
});

test("views around a turning point, on another axis, wider and narrower", () => {
  const held = columns([0, 1000]);
  assert.deepEqual(viewAround(alert, held, "step"), [20, 190]);
  assert.deepEqual(viewAround({...alert, detected_step: null}, held, "epoch"), [10, 90]);
  assert.deepEqual(convertView(held, "step", "epoch", [20, 190]), [10, 95]);
  assert.equal(convertView(held, "step", "epoch", null), null);
  assert.equal(convertView(null, "step", "epoch", [1, 2]), null);
  const shown = {view: [0, 100], longest: held, axis: "step", pinned: null};
  assert.deepEqual(scaleView(shown, 0.5), [25, 75]);
  assert.deepEqual(scaleView({...shown, pinned: 80}, 0.5), [40, 90]);
  assert.equal(scaleView({...shown, longest: null}, 0.5), null);
});
