import assert from "node:assert/strict";
import {test} from "node:test";
import {networkOf, paletteOf} from "../../dashboard/palette.js";
import {foldsOf, lineName, panelsOf} from "../../dashboard/panels.js";

const metrics = [
  "D",
  "D.unaligned",
  "Q",
  "S.D",
  "S.E",
  "S.G",
  "S.G@epoch",
  "loss.D",
  "loss.G",
  "loss/aux",
  "lr",
  "scalar.Q"
];
const all = ["epoch", "companions", "scalars"];
const shape = (panels) => panels.map(({key, metrics: names}) => [key, names]);

test("S, Q and D stand first, G before D, whatever the alphabet says", () => {
  assert.deepEqual(shape(panelsOf(metrics)), [
    ["S", ["S.G", "S.D", "S.E"]],
    ["Q", ["Q"]],
    ["D", ["D"]]
  ]);
});

test("a run without points has the same three panels", () => {
  assert.deepEqual(shape(panelsOf([])), [
    ["S", []],
    ["Q", []],
    ["D", []]
  ]);
});

test("what is unfolded comes in groups", () => {
  assert.deepEqual(shape(panelsOf(metrics, {open: all})), [
    ["S", ["S.G", "S.D", "S.E"]],
    ["S@epoch", ["S.G@epoch"]],
    ["Q", ["Q"]],
    ["D", ["D"]],
    ["D.unaligned", ["D.unaligned"]],
    ["loss", ["loss.G", "loss.D", "loss/aux"]],
    ["lr", ["lr"]],
    ["scalar", ["scalar.Q"]]
  ]);
  assert.deepEqual(foldsOf(metrics), {epoch: true, companions: true, scalars: true});
  assert.deepEqual(foldsOf(["S.G", "Q", "D"]), {epoch: false, companions: false, scalars: false});
});

test("every metric is in exactly one panel once all is open", () => {
  const shown = panelsOf(metrics, {open: all}).flatMap((panel) => panel.metrics);
  assert.deepEqual(shown.sort(), [...metrics].sort());
});

test("units and ceiling reach their panels, a phone gets lower ones", () => {
  const [s, q, d] = panelsOf(metrics, {unit: "deg", ceiling: 4.6});
  assert.deepEqual([s.unit, s.scale, q.range, d.ceiling, d.floor], ["deg", "log", [0, 1], 4.6, 0]);
  assert.ok(panelsOf(metrics, {narrow: true})[0].height < s.height);
});

test("Q is what the worker says that it is", () => {
  const helpOf = (quality) => panelsOf([], {quality})[1].help;
  assert.equal(helpOf("mtcnn"), "mean face probability of the batch, by mtcnn");
  assert.match(helpOf("points:mixture.json"), /^share of the batch .* a mode, by points:mixture/);
  assert.match(helpOf("onnx:<net>.onnx"), /^mean class probability of the batch, by onnx:<net>/);
  assert.equal(helpOf("python:mine:score"), "mean score of the batch, by python:mine:score");
  for (const unknown of [null, "", undefined]) assert.doesNotMatch(helpOf(unknown), /face| by /);
});

test("a line's name leaves out what its panel says", () => {
  const name = (metric) =>
    lineName(
      metric,
      panelsOf(metrics, {open: all}).find((panel) => panel.metrics.includes(metric))
    );
  assert.deepEqual(["S.G", "S.G@epoch", "Q", "D"].map(name), ["G", "G", "Q", "D"]);
  assert.deepEqual(["loss.G", "loss/aux", "lr", "D.unaligned"].map(name), [
    "G",
    "aux",
    "lr",
    "D.unaligned"
  ]);
});

test("G and D have the same colour everywhere, and it is not that of the metric D", () => {
  const color = paletteOf(metrics);
  for (const metric of ["S.G", "S.G@epoch", "loss.G", "grad/G"])
    assert.equal(color(metric), "--blue");
  for (const metric of ["S.D", "loss.D"]) assert.equal(color(metric), "--vermillion");
  assert.equal(color("Q"), "--green");
  assert.equal(color("D"), "--purple");
  assert.equal(color("D.unaligned"), "--purple");
  assert.equal(networkOf("S.G_A/b"), "G_A/b");
});

test("other networks take the other colours in turn", () => {
  const color = paletteOf(["S.A", "S.B", "S.C", "S.E", "S.G"]);
  const taken = ["S.A", "S.B", "S.C"].map(color);
  assert.equal(new Set([...taken, "--blue", "--vermillion"]).size, 5);
  assert.equal(color("loss.B"), color("S.B"));
});
