import assert from "node:assert/strict";
import {test} from "node:test";
import {Address, formatAddress, parseAddress, toggled} from "../../dashboard/state.js";

const plain = parseAddress("");

test("a plain view has a plain address", () => {
  assert.equal(formatAddress(plain), "");
  assert.equal(plain.step, null);
  assert.equal(plain.range, null);
});

test("every state survives the address", () => {
  const states = [
    {...plain, x: "epoch", unit: "deg"},
    {...plain, smooth: 5},
    {...plain, x: "epoch", difference: true, with: ["a"]},
    {...plain, with: ["a, b", "<i>&with=c"]},
    {...plain, open: ["scalars", "config"]},
    {...plain, step: 0},
    {...plain, step: 10600, beside: 0},
    {...plain, sort: "state"},
    {...plain, evidence: "5cab6b&100694108c"},
    {...plain, step: 10600, range: [9058, 11741]},
    {...plain, x: "time", range: [1795305897.4, 1795305997.1]},
    {...plain, x: "epoch", range: [-0.5, 2.25]},
    {...plain, filter: "seed 2 & <b> 100% ü"}
  ];
  for (const state of states) {
    assert.deepEqual(parseAddress(formatAddress(state)), state, formatAddress(state));
  }
});

test("a range keeps a thousandth of what is in view", () => {
  assert.equal(formatAddress({...plain, range: [8219.49315068, 9713.7]}), "?range=8219..9714");
  const [from, to] = parseAddress(formatAddress({...plain, range: [1.00012345, 1.00022345]})).range;
  assert.ok(Math.abs(from - 1.00012345) < 1e-7 && to > from);
});

test("what the address does not understand is the default", () => {
  const bad = "?x=frames&unit=grad&open=scalars,rm&step=-4&range=5..1";
  assert.deepEqual(parseAddress(bad), {...plain, open: ["scalars"]});
  const more = [
    "?step=x",
    "?step=",
    "?step=1.5",
    "?beside=-1",
    "?sort=colour",
    "?range=1..2..3",
    "?range=..5",
    "?range=1..inf",
    "?smooth=7"
  ];
  for (const search of more) assert.deepEqual(parseAddress(search), plain, search);
});

test("a bad state does not get into the address", () => {
  assert.throws(() => formatAddress({...plain, x: "frames"}), /invalid x: frames/);
  assert.throws(() => formatAddress({...plain, unit: "grad"}), /invalid unit: grad/);
});

test("toggled folds and unfolds", () => {
  assert.deepEqual(toggled([], "config"), ["config"]);
  assert.deepEqual(toggled(["config", "scalars"], "config"), ["scalars"]);
});

function addressAt(search) {
  const written = [];
  const timers = [];
  const location = {pathname: "/runs/a%20b", search};
  const history = {replaceState: (_, __, url) => written.push(url)};
  const later = (run) => timers.push(run);
  const cancel = (id) => (timers[id - 1] = () => {});
  const address = new Address({location, history, later, cancel});
  return {address, written, location, flush: () => timers.splice(0).forEach((run) => run())};
}

test("listeners hear at once, the address follows once", () => {
  const {address, written, flush} = addressAt("");
  const heard = [];
  const forget = address.listen(({step}) => heard.push(step));
  for (const step of [200, 400, 600]) address.set({step});
  assert.deepEqual(heard, [200, 400, 600]);
  assert.deepEqual(written, []);
  flush();
  assert.deepEqual(written, ["/runs/a%20b?step=600"]);
  forget();
  address.set({step: 800});
  assert.deepEqual(heard, [200, 400, 600]);
});

test("going back reads the address and drops what was about to be written", () => {
  const {address, written, location, flush} = addressAt("");
  address.set({x: "time"});
  location.search = "?unit=deg";
  address.read();
  flush();
  assert.equal(address.state.x, "step");
  assert.equal(address.state.unit, "deg");
  assert.deepEqual(written, []);
});
