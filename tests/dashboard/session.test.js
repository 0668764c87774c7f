import assert from "node:assert/strict";
import {test} from "node:test";
import {ApiError} from "../../dashboard/api.js";
import {readSession} from "../../dashboard/session.js";

test("the server says what this browser may do", async () => {
  const asked = [];
  const get = async (path) => (asked.push(path), {role: "read", cookie: true});
  assert.deepEqual(await readSession({get}), {role: "read", cookie: true});
  assert.deepEqual(asked, ["/api/session"]);
});

test("without an answer nothing is hidden, and nobody is logged in", async () => {
  const get = async () => {
    throw new ApiError(0, "The server does not answer.");
  };
  assert.deepEqual(await readSession({get}), {role: "write", cookie: false});
});

test("a mistake of ours is not taken for a silent server", async () => {
  const get = async () => {
    throw new TypeError("x is not a function");
  };
  await assert.rejects(readSession({get}), TypeError);
});
