import assert from "node:assert/strict";
import {test} from "node:test";
import {actionsOf, stateText} from "../../dashboard/alerts.js";
import {ApiError, alertPath, postJson} from "../../dashboard/api.js";

const now = 1000;
const alert = (marks = {}) => ({
  id: "a/b",
  run: "de mo",
  acknowledged: null,
  muted_until: null,
  resolved: null,
  ...marks
});
const calls = (marks) => actionsOf(alert(marks), now).map(([, call, body]) => [call, body]);

test("an open alert can be acknowledged, muted and resolved", () => {
  assert.deepEqual(calls(), [
    ["acknowledge", {}],
    ["mute", {seconds: 3600}],
    ["resolve", {}]
  ]);
});

test("what was said need not be said again, a mute can end, and nothing is said to the past", () => {
  assert.deepEqual(calls({acknowledged: 5, muted_until: now + 1}), [
    ["mute", {seconds: 0}],
    ["resolve", {}]
  ]);
  assert.deepEqual(calls({muted_until: now - 1})[1], ["mute", {seconds: 3600}]);
  assert.deepEqual(calls({resolved: 5}), []);
});

test("an alert of an older server, without marks, is open", () => {
  assert.equal(actionsOf({id: "a", run: "demo"}, now).length, 3);
  assert.equal(stateText({id: "a", run: "demo"}, now), "");
});

test("its state in words", () => {
  assert.equal(stateText(alert(), now), "");
  assert.equal(stateText(alert({resolved: 7, acknowledged: 5}), now), "resolved");
  assert.match(
    stateText(alert({acknowledged: 5, muted_until: now + 60}), now),
    /^acknowledged, muted until \d/
  );
});

test("the call names run and alert, sends JSON and tells what the server says", async () => {
  const path = alertPath(alert(), "mute");
  assert.equal(path, "/api/runs/de%20mo/alerts/a%2Fb/mute");
  const asked = [];
  const answers = [
    new Response('{"id": "a"}'),
    new Response('{"detail": "no run is called \'x\'"}', {status: 404})
  ];
  const fetch = async (...call) => {
    asked.push(call);
    return answers.shift();
  };
  assert.deepEqual(await postJson(path, {seconds: 0}, {fetch}), {id: "a"});
  assert.equal(asked[0][1].method, "POST");
  assert.equal(asked[0][1].body, '{"seconds":0}');
  await assert.rejects(postJson(path, {}, {fetch}), (error) => {
    return error instanceof ApiError && error.message === "no run is called 'x'";
  });
});
