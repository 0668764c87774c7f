import assert from "node:assert/strict";
import {test} from "node:test";
import {rowsOf} from "../../dashboard/details.js";
import {rankModes} from "../../dashboard/modes.js";
import {panelsOf} from "../../dashboard/panels.js";
import {stepBeside, stepToShow} from "../../dashboard/samples.js";
import {noteOf, summaryOf} from "../../dashboard/summary.js";
import {applyTheme, readTheme} from "../../dashboard/theme.js";
import {factsOf, problemText, stateText} from "../../dashboard/trust.js";
import {columns} from "./fakes.js";

test("the grid shown is the nearest to what is wished, the newest without a wish", () => {
  assert.equal(stepToShow([], 5), null);
  assert.equal(stepToShow([200, 400, 600], null), 600);
  assert.equal(stepToShow([200, 400, 600], 320), 400);
  assert.equal(stepToShow([200, 400, 600], 9000), 600);
});

test("keys walk through the batches; the last one follows the run", () => {
  const steps = [200, 400, 600];
  assert.equal(stepBeside(steps, 600, -1), 400);
  assert.equal(stepBeside(steps, 200, -1), 200);
  assert.equal(stepBeside(steps, 400, 1), null);
  assert.equal(stepBeside(steps, 600, 1), null);
  assert.equal(stepBeside([], null, 1), null);
});

test("modes are ranked, equal neighbours joined", () => {
  assert.deepEqual(rankModes([3, 0, 7, 3], [5, 5, 5, 5]), [
    {count: 7, expected: 5, modes: 1},
    {count: 3, expected: 5, modes: 2},
    {count: 0, expected: 5, modes: 1}
  ]);
  assert.deepEqual(rankModes([2, 2], [5, 1]), [
    {count: 2, expected: 5, modes: 1},
    {count: 2, expected: 1, modes: 1}
  ]);
  assert.throws(() => rankModes([1], []), /invalid modes: 1 counts, 0 expected/);
});

test("the connection says what it is, since when and why", () => {
  assert.equal(stateText({state: "live"}), "Live");
  assert.equal(stateText({state: "live"}, "lost"), "Connected");
  const stale = stateText({state: "stale", since: 0, reason: "The server does not answer."});
  assert.match(
    stale,
    /^Not live since \d\d:\d\d:\d\d: The server does not answer\. Reconnecting\.$/
  );
  assert.equal(stateText({state: "error", status: 404}), "No such run");
});

const detail = {
  status: "running",
  lag: {weights_steps: 2, weights_s: 0.3, samples_steps: 1, samples_s: 400, queued_jobs: 1},
  drops: {budget: 0, worker_skipped: 2},
  worker: {seen: false},
  diversity: {embedder: "faces100", reference: "faces100", modes: 100}
};

test("facts name lag, drops, worker and who made D", () => {
  const texts = factsOf(detail).map(({text}) => text);
  assert.deepEqual(texts, [
    "weights 2 steps, 0.3 s behind",
    "samples 1 step, 6 min behind",
    "1 queued",
    "2 dropped",
    "no worker",
    "D by faces100 on faces100"
  ]);
  assert.equal(factsOf(detail).find(({text}) => text === "no worker").tone, "bad");
});

test("facts name what computes Q", () => {
  const worker = {seen: true, device: "cpu"};
  const quality = {evaluator: "points:mixture.json"};
  const [said, by] = factsOf({status: "running", worker, quality});
  assert.deepEqual([said.text, by.text], ["worker on cpu", "Q by points:mixture.json"]);
  assert.match(by.title, /three standard deviations/);
  const [alone] = factsOf({status: "running", worker: {seen: true, device: null}});
  assert.deepEqual([alone.text, alone.tone], ["no worker for Q and D", "warn"]);
});

test("what the server leaves out is left out, not invented", () => {
  assert.deepEqual(factsOf({status: "running"}), []);
  const texts = factsOf({status: "running", lag: {}}).map(({text}) => text);
  assert.deepEqual(texts, ["weights – steps behind", "samples – steps behind"]);
});

test("problems say what, how often, where and why", () => {
  const problem = {metric: "D", status: "failed", count: 3, first_step: 200, last_step: 600};
  assert.equal(
    problemText({...problem, reason: "no reference set"}),
    "D failed 3 times, steps 200–600: no reference set"
  );
  assert.equal(problemText({...problem, count: 1, last_step: 200}), "D failed, step 200");
});

const storeOf = (held) => ({has: (name) => name in held, get: (name) => held[name] ?? columns([])});

test("an empty panel says what it waits for or why it failed", () => {
  const [s, , d] = panelsOf(["D"]);
  const failed = storeOf({D: columns([1], {value: [null], status: ["failed"]})});
  const problems = [{metric: "D", status: "failed", reason: "no reference set"}];
  assert.equal(noteOf(s, null, storeOf({})), "loading");
  assert.equal(noteOf(s, {}, storeOf({})), "waiting for the first two pushes of weights");
  assert.equal(noteOf(d, {}, storeOf({})), "loading");
  assert.equal(noteOf(d, {problems}, failed), "failed: no reference set");
  assert.equal(noteOf(d, {problems}, storeOf({D: columns([1])})), "");
});

test("the curves in words", () => {
  const panels = panelsOf(["Q"]).slice(0, 2);
  assert.equal(
    summaryOf(panels, storeOf({Q: columns([9100], {value: [0.91]})})),
    "Curves of Stability: no value yet; Quality: Q 0.910 at step 9,100."
  );
});

test("configuration is shown as it is, markup and all", () => {
  const config = {note: "<b>", nested: {a: 1}};
  const networks = {G: {parameters: 1100000, tensors: 1, weights: "full"}};
  const rows = rowsOf({started: null, config, networks, worker: {seen: false}, diversity: null});
  assert.deepEqual(rows, [
    ["started", "–"],
    ["network G", "1,100,000 parameters, 1 tensor, full"],
    ["note", "<b>"],
    ["nested", '{"a":1}']
  ]);
  const segments = [{started: null, first_step: 0, last_step: 1200, host: "box"}];
  assert.deepEqual(rowsOf({started: null, segments})[1], [
    "segment 1",
    "steps 0–1,200, from – on box"
  ]);
});

test("themes", () => {
  assert.equal(readTheme({getItem: () => "dark"}), "dark");
  assert.equal(readTheme({getItem: () => "pink"}), "auto");
  assert.equal(readTheme(null), "auto");
  const root = {dataset: {}};
  const shown = (theme, dark) => (applyTheme(theme, root, () => dark), root.dataset.theme);
  assert.equal(shown("auto", true), "dark");
  assert.equal(shown("auto", false), "light");
  assert.equal(shown("light", true), "light");
  assert.throws(() => applyTheme("pink", {}), /invalid theme: pink/);
});
