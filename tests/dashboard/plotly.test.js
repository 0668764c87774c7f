import assert from "node:assert/strict";
import {mock, test} from "node:test";

// A page whose head may hold the script already, and the module as a browser loads it anew.
async function pageWith(early) {
  const added = [];
  const element = () => ({
    setAttribute() {},
    addEventListener() {},
    append() {},
    remove() {
      this.removed = true;
    }
  });
  const head = {append: (script) => added.push(script)};
  const script = early ? element() : null;
  globalThis.window = {};
  globalThis.document = {head, createElement: element, querySelector: () => script};
  const {loadPlotly} = await import(`../../dashboard/plotly.js?${Math.random()}`);
  return {loadPlotly, script, added};
}

test("what the page's head asked for is waited for, not asked for again", async () => {
  const {loadPlotly, script, added} = await pageWith(true);
  const loading = loadPlotly();
  window.Plotly = "plotly";
  script.onload();
  assert.equal(await loading, "plotly");
  assert.equal(await loadPlotly(), "plotly");
  assert.deepEqual(added, []);
});

test("what is there already is taken", async () => {
  const {loadPlotly, added} = await pageWith(true);
  window.Plotly = "plotly";
  assert.equal(await loadPlotly(), "plotly");
  assert.deepEqual(added, []);
});

test("a page that began without it asks for it", async () => {
  const {loadPlotly, added} = await pageWith(false);
  const loading = loadPlotly();
  window.Plotly = "plotly";
  added[0].onload();
  assert.equal(await loading, "plotly");
});

test("one that failed before anybody listened is asked for again", async () => {
  mock.timers.enable({apis: ["setTimeout"]});
  const {loadPlotly, added} = await pageWith(true);
  const loading = loadPlotly();
  mock.timers.tick(20_000);
  mock.timers.reset();
  window.Plotly = "plotly";
  added[0].onload();
  assert.equal(await loading, "plotly");
});

test("a failure is told, and the next page tries again", async () => {
  const {loadPlotly, added} = await pageWith(false);
  const loading = loadPlotly();
  added[0].onerror();
  await assert.rejects(loading, /The curves cannot be drawn/);
  assert.ok(added[0].removed);
  const again = loadPlotly();
  window.Plotly = "plotly";
  added[1].onload();
  assert.equal(await again, "plotly");
});
