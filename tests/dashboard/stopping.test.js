import assert from "node:assert/strict";
import {test} from "node:test";
import {ApiError, postJson, remove} from "../../dashboard/api.js";
import {rowsOf} from "../../dashboard/details.js";
import {wordsOf} from "../../dashboard/stopping.js";

const stop = {asked: 100, by: "page", reason: "", told: null};

test("a request says who asked, why, and whether the trainer knows", () => {
  assert.deepEqual(wordsOf(stop, "running"), [
    {text: "Stop asked", time: 100, after: " by page"},
    {text: "not told yet"}
  ]);
  const heard = wordsOf({...stop, by: "<i>", reason: "it repeats", told: 103}, "running");
  assert.deepEqual(heard, [
    {text: "Stop asked", time: 100, after: " by <i>: “it repeats”"},
    {text: "told to the trainer", time: 103}
  ]);
  assert.equal(wordsOf(stop, "lost")[1].text, "never told");
});

test("a request is posted as JSON, taken back without a body; a refusal is an error with its words", async () => {
  const calls = [];
  const answering = (status, body) => async (path, options) => {
    calls.push([path, options.method, options.body]);
    return new Response(status === 204 ? null : JSON.stringify(body), {status});
  };
  assert.deepEqual(await postJson("/s", {by: "page"}, {fetch: answering(200, stop)}), stop);
  assert.equal(await remove("/s", {fetch: answering(204)}), undefined);
  assert.deepEqual(calls, [
    ["/s", "POST", '{"by":"page"}'],
    ["/s", "DELETE", undefined]
  ]);
  const refused = {fetch: answering(403, {detail: "the token is wrong"})};
  for (const call of [postJson("/s", {}, refused), remove("/s", refused)]) {
    await assert.rejects(
      call,
      (error) => error instanceof ApiError && /token is wrong/.test(error)
    );
  }
});

test("where the checkpoints from before alerts lie is in the details", () => {
  const checkpoints = [
    {step: 10500, path: "/c/<b>.pt", host: "box", pinned: true, alert: "5f"},
    {step: 12000, path: "/c/2.pt", host: "box", pinned: false, alert: "60"}
  ];
  assert.deepEqual(rowsOf({started: null, checkpoints}).slice(1), [
    ["checkpoint", "step 10,500, from before an alert: /c/<b>.pt on box"],
    [
      "checkpoint",
      "step 12,000, from before an alert: /c/2.pt on box, left by a trainer that had ended"
    ]
  ]);
});
