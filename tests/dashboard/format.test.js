import assert from "node:assert/strict";
import {test} from "node:test";
import {
  angleIn,
  formatAge,
  formatBytes,
  formatClock,
  formatCount,
  formatDate,
  formatDuration,
  formatKind,
  formatNumber,
  plural,
  tellApart
} from "../../dashboard/format.js";

test("numbers keep three digits, whatever their size", () => {
  assert.equal(formatNumber(0.90512), "0.905");
  assert.equal(formatNumber(0.0031), "0.00310");
  assert.equal(formatNumber(0.0031, 2), "0.0031");
  assert.equal(formatNumber(-12.345), "-12.3");
  assert.equal(formatNumber(10600.4), "10,600");
  assert.equal(formatNumber(0.0000314), "3.1e-5");
  assert.equal(formatNumber(2.5e7), "2.5e7");
  assert.equal(formatNumber(0), "0");
});

test("what is missing is a dash, never NaN", () => {
  for (const value of [null, undefined, NaN, Infinity, "3"]) {
    assert.equal(formatNumber(value), "–");
    assert.equal(formatCount(value), "–");
    assert.equal(formatDuration(value), "–");
    assert.equal(formatAge(value, 0), "–");
    assert.equal(formatBytes(value), "–");
    assert.equal(formatClock(value), "–");
    assert.equal(formatDate(value), "–");
  }
});

test("angles turn into degrees and refuse other units", () => {
  assert.equal(angleIn("deg", Math.PI), 180);
  assert.equal(angleIn("rad", 0.003), 0.003);
  assert.equal(angleIn("deg", null), null);
  assert.throws(() => angleIn("grad", 1), /invalid unit: grad/);
});

test("durations name their two largest parts", () => {
  assert.equal(formatDuration(3.9), "3 s");
  assert.equal(formatDuration(59.9), "59 s");
  assert.equal(formatDuration(60), "1 min");
  assert.equal(formatDuration(3599), "59 min");
  assert.equal(formatDuration(3600 + 5 * 60), "1 h 05 min");
  assert.equal(formatDuration(3 * 86400 + 7200), "3 d 2 h");
  assert.equal(formatDuration(-5), "0 s");
});

test("an age is relative, and a clock ahead of this one is now", () => {
  assert.equal(formatAge(100, 103), "3 s ago");
  assert.equal(formatAge(100, 100.4), "now");
  assert.equal(formatAge(100, 40), "now");
});

test("times are of this clock's zone", () => {
  const time = new Date(2026, 10, 21, 9, 5, 7).getTime() / 1000;
  assert.equal(formatClock(time), "09:05:07");
  assert.equal(formatDate(time), "2026-11-21 09:05:07");
});

test("names that begin alike are told apart by what follows", () => {
  assert.deepEqual(tellApart(["faces-gp-s1", "faces-s1"]), ["…gp-s1", "…s1"]);
  assert.deepEqual(tellApart(["run-a", "run-a-2"]), ["…a", "…a-2"]);
  assert.deepEqual(tellApart(["a b/c", "a b/d"]), ["…c", "…d"]);
  for (const names of [[], ["alone-1"], ["left-1", "right-1"], ["same", "same"], ["--", "-x"]]) {
    assert.equal(tellApart(names).length, names.length);
    assert.ok(tellApart(names).every((name, i) => names[i].endsWith(name.replace("…", ""))));
  }
});

test("bytes, counts and kinds", () => {
  assert.equal(formatBytes(0), "0 B");
  assert.equal(formatBytes(1500), "1.46 KiB");
  assert.equal(formatBytes(1_500_000), "1.43 MiB");
  assert.equal(plural(1, "job"), "1 job");
  assert.equal(plural(2000, "job"), "2,000 jobs");
  assert.equal(formatKind("mode_collapse"), "mode collapse");
  assert.equal(formatKind(null), "");
});
