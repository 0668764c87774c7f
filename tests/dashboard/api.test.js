import assert from "node:assert/strict";
import {test} from "node:test";
import {
  ApiError,
  getJson,
  gridPath,
  loginPath,
  pagePath,
  runOfPath,
  runPath,
  seriesPath
} from "../../dashboard/api.js";

const names = [
  "demo",
  "<img src=x onerror=alert(1)>",
  "100% & späces ? # 日本",
  "a\\b\"c'd",
  "%2F"
];

test("every run name survives the address of its page", () => {
  for (const name of names) {
    assert.equal(runOfPath(pagePath(name)), name);
    assert.equal(runOfPath(new URL(pagePath(name), "http://h").pathname), name);
  }
  assert.equal(runOfPath("/"), null);
  assert.equal(runOfPath("/runs/"), null);
  assert.equal(runOfPath("/runs/100%"), "100%");
});

test("names and metrics are encoded", () => {
  assert.equal(runPath("a b", "/alerts"), "/api/runs/a%20b/alerts");
  assert.equal(gridPath("a?b", 600), "/api/runs/a%3Fb/samples/600");
  assert.equal(
    seriesPath("a", ["S.G", "loss&x=1"], 60),
    "/api/runs/a/series?metric=S.G&metric=loss%26x%3D1&points=60"
  );
});

const answering = (status, body) => async () => new Response(body, {status});

test("errors carry the status and the server's words", async () => {
  const fetch = answering(404, JSON.stringify({detail: "no run 'x'"}));
  await assert.rejects(
    getJson("/api/runs/x", {fetch}),
    (error) => error instanceof ApiError && error.status === 404 && error.message === "no run 'x'"
  );
});

test("an error page of a proxy still has a status", async () => {
  const fetch = answering(502, "<html>");
  await assert.rejects(getJson("/x", {fetch}), {status: 502, message: "The server answered 502."});
});

test("no answer and half an answer have status 0", async () => {
  const dead = async () => {
    throw new TypeError("fetch failed");
  };
  await assert.rejects(getJson("/x", {fetch: dead}), {status: 0, message: /does not answer/});
  await assert.rejects(getJson("/x", {fetch: answering(200, '{"a"')}), {status: 0});
});

test("from the login the browser comes back to where it was", () => {
  const path = loginPath({pathname: "/runs/a%20b", search: "?x=step&with=c"});
  assert.equal(path, "/login?next=%2Fruns%2Fa%2520b%3Fx%3Dstep%26with%3Dc");
});
