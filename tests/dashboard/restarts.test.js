import assert from "node:assert/strict";
import {test} from "node:test";
import {restartsOf} from "../../dashboard/restarts.js";

const segment = (first_step, rewinds = []) => ({
  ...{id: `s${first_step}`, host: "box", started: 5000, first_step, last_step: 900},
  rewinds: rewinds.map((step) => ({step, time: 6000}))
});
const stepsOf = (segments) => restartsOf(segments).map(({step}) => step);

test("a run that was never taken up again has no mark", () => {
  assert.deepEqual(restartsOf([]), []);
  assert.deepEqual(restartsOf([segment(0)]), []);
});

test("a resumed run has a mark at the first step of each later process", () => {
  assert.deepEqual(stepsOf([segment(0), segment(100), segment(250)]), [100, 250]);
  const [mark] = restartsOf([segment(0), segment(1100)]);
  assert.match(mark.text, /^Resumed at step 1,100, 1970-01-01 \d\d:23:20 on box$/);
  assert.equal(mark.time, 5000);
});

test("steps that went back within a process have one as well", () => {
  const marks = restartsOf([segment(0, [40]), segment(100, [180])]);
  assert.deepEqual(
    marks.map(({step, text}) => [step, text.split(",")[0]]),
    [
      [40, "Went back to step 40"],
      [100, "Resumed at step 100"],
      [180, "Went back to step 180"]
    ]
  );
});

test("a mark in what is hidden by a later one is hidden with it", () => {
  assert.deepEqual(stepsOf([segment(0), segment(300), segment(200)]), [200]);
  assert.deepEqual(stepsOf([segment(0, [50, 90]), segment(90)]), [50, 90]);
  assert.equal(restartsOf([segment(0, [90]), segment(90)])[0].text.slice(0, 7), "Resumed");
});

test("a metric that is measured with something else has a mark among them", () => {
  const sides = {before: "a and reference b", after: "a and reference c"};
  const change = {metric: "D", step: 1200, time: 7000, ...sides};
  const marks = restartsOf([segment(0), segment(1300)], [change]);
  assert.deepEqual(
    marks.map(({step, word}) => [step, word]),
    [
      [1200, "D measured anew"],
      [1300, "resumed"]
    ]
  );
  assert.equal(
    marks[0].text,
    "D from step 1,200 on is measured with a and reference c, before with a and reference b"
  );
});

test("what happened at one step is one mark", () => {
  const sides = {step: 300, time: 7000, before: "a", after: "b"};
  const remeasured = ["D", "Q"].map((metric) => ({metric, ...sides}));
  const [mark, ...others] = restartsOf([segment(0), segment(300)], remeasured);
  assert.deepEqual(others, []);
  assert.equal(mark.word, "resumed, D measured anew, Q measured anew");
  assert.match(mark.text, /^Resumed at step 300, .+\. D from step 300 on .+\. Q from step 300 on/);
});

test("processes that have pushed nothing yet are not there", () => {
  assert.deepEqual(stepsOf([segment(null), segment(7)]), []);
  assert.deepEqual(stepsOf([segment(3), segment(null)]), []);
});

test("a server that names neither host nor rewinds", () => {
  const older = {id: "b", started: 5000, first_step: 7, last_step: 9};
  assert.match(restartsOf([segment(0), older])[0].text, /^Resumed at step 7, [-\d]+ [:\d]+$/);
});
