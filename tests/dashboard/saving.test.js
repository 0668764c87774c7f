import assert from "node:assert/strict";
import {test} from "node:test";
import {allPointsPath, csvOf} from "../../dashboard/csv.js";
import {frameOf} from "../../dashboard/figure.js";
import {keyOf, panelsOf, runAndMetric} from "../../dashboard/panels.js";
import {pictureOf, plain, readData} from "../../dashboard/picture.js";
import {columns} from "./fakes.js";

const held = {
  "S.G": columns([1, 2, 3], {value: [0.1, null, 0.3], status: ["ok", "failed", "ok"]}),
  'loss."a,b"': columns([2])
};
const series = {get: (name) => held[name] ?? columns([]), longest: () => held["S.G"]};
const panels = panelsOf(Object.keys(held), {open: ["scalars"]});

test("the CSV holds the rows in view, quoted where a name needs it", () => {
  assert.equal(
    csvOf({panels, series, axis: "step"}, [2, 3]),
    "metric,step,epoch,time,value,stderr,n,status\r\n" +
      "S.G,2,1,1002,,,1,failed\r\n" +
      "S.G,3,1.5,1003,0.3,,1,ok\r\n" +
      '"loss.""a,b""",2,1,1002,0.2,,1,ok\r\n'
  );
  assert.match(csvOf({panels, series, axis: "epoch"}, [1.5, 9]), /^[^\n]*\n[^\n]*\n$/);
});

test("all points of the same stretch come from the server", () => {
  const path = (range, axis) => allPointsPath("a b", {panels, series, axis, range});
  assert.match(path(null, "step"), /^\/api\/runs\/a%20b\/series\?.*points=0&format=csv$/);
  assert.match(path([0.6, 1.4], "epoch"), /points=0&from=1&to=3&format=csv$/);
});

test("the stretch of a compared run is found by its own rows, not those of another", () => {
  const rows = {a: columns([1, 2, 3]), b: columns([100, 200, 300])};
  const series = {get: (key) => rows[runAndMetric(key)[0]], longest: () => rows.a};
  const shown = [{metrics: [keyOf("a", "Q"), keyOf("b", "Q")]}];
  const path = (run) => {
    const range = rows[run].time.slice(0, 2);
    return allPointsPath(run, {panels: shown, series, axis: "time", range});
  };
  assert.match(path("a"), /from=1&to=2&/);
  assert.match(path("b"), /from=100&to=200&/);
});

test("a picture holds one panel over the same stretch, with its title and lines named", () => {
  const model = {panels, series, axis: "step", range: [1, 2], smoothing: 0, alerts: []};
  const rest = {restarts: [], pinned: null, color: () => "--blue", notes: {}};
  const frame = frameOf({...model, ...rest}, 800);
  const look = {resolve: (name) => name, font: "x", faint: "f", grid: "g"};
  const {data, layout} = pictureOf(frame, panels.at(-1), look);
  assert.deepEqual(
    data.map(({name, yaxis}) => [name, yaxis]),
    [
      ['loss."a,b"', "y"],
      ['loss."a,b" marks', "y"]
    ]
  );
  assert.deepEqual([layout.xaxis.range, layout.width], [[1, 2], 800]);
  assert.deepEqual(
    layout.annotations.map(({text}) => text),
    ["loss", '— "a,b"']
  );
});

test("names are no markup, and data is read as it was written", async () => {
  assert.equal(plain("<b>&"), "&lt;b&gt;&amp;");
  const svg = readData("data:image/svg+xml,%3Csvg%3E,%0A%3C/svg%3E");
  assert.deepEqual([svg.type, await svg.text()], ["image/svg+xml", "<svg>,\n</svg>"]);
  const png = readData(`data:image/png;base64,${btoa("\x89PNG")}`);
  assert.deepEqual([...new Uint8Array(await png.arrayBuffer())], [0x89, 0x50, 0x4e, 0x47]);
});
