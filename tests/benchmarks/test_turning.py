"""The benchmark of the detector runs, and its parts do what they say on small examples."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.turning.fusing import Drift, fuse
from benchmarks.turning.leads import lead
from benchmarks.turning.offline import Offline
from benchmarks.turning.recorded import RUNS, recorded, spacing_of
from benchmarks.turning.rivals import rivals, standardised
from benchmarks.turning.streams import Stream, streams
from monitor.turning.block import Observation
from monitor.turning.case import Case, Half
from monitor.turning.evaluate import Alarm
from monitor.turning.replay import Record
from monitor.turning.settings import DIVERSITY, STABILITY

LABELS = RUNS / "labels.json"
HALVES: tuple[Half, ...] = ("tuning", "test")

ROOT = Path(__file__).parents[2]


def test_quick_run(tmp_path: Path) -> None:
    # No browser: the picture is not what is tested.
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.turning", "--quick", "--output", str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "turning.json").read_text())
    assert {"simulated, test", "simulated, tuning"} <= results["scores"].keys()
    rows = results["scores"]["simulated, test"]
    assert [row["setting"] for row in rows[:3]] == ["normal", "low", "high"]
    names = {row["name"] for row in rows}
    assert {"sqd", "river ADWIN", "river KSWIN", "ruptures PELT, offline"} <= names
    assert all(f"| {row['name']} | {row['setting']} |" in done.stdout for row in rows)
    assert [row["kind"] for row in results["warnings"]][-1] == "any"
    assert "river ADWIN" in (tmp_path / "turning.html").read_text()


def test_every_recording_has_a_label_that_can_be_read() -> None:
    labels = json.loads(LABELS.read_text())
    halves = {half: {c.name: c for c in recorded([RUNS], LABELS, half)} for half in HALVES}
    assert not halves["tuning"].keys() & halves["test"].keys()
    found = halves["tuning"] | halves["test"]
    assert found.keys() == {path.name.removesuffix(".jsonl.gz") for path in RUNS.glob("*.gz")}
    for name, label in labels.items():
        assert label.keys() == {"command", "half", "turn", "reason"}, name
        if label["turn"] is not None:
            first, last = label["turn"]
            assert found[name].records[0].step <= first <= last <= found[name].records[-1].step


def test_spacing_is_that_of_the_sample_batches() -> None:
    records = [Record(step, None, {"Q": 0.5} if step % 200 == 0 else {}) for step in range(1001)]
    assert spacing_of(records) == 200
    assert spacing_of([Record(1, None, {"S.G": 0.1})]) == 1


def test_streams_are_blocks_of_log_s_and_batches_once_there_are_faces() -> None:
    records = tuple(
        Record(
            i,
            None,
            {"S.G": 0.01, "lr": 1.0}
            | ({"Q": 0.0 if i < 500 else 0.9, "D": 3.0} if i % 100 == 0 else {}),
        )
        for i in range(1, 1001)
    )
    found = {stream.metric: stream for stream in streams(Case("x", None, 100, records))}
    assert found.keys() == {"S.G", "Q", "D"}
    assert found["D"].values == [-3.0] * 6
    assert found["S.G"].values == pytest.approx([np.log(0.01)] * len(found["S.G"].values))
    assert found["S.G"].observations[-1].first_step == found["S.G"].observations[-2].step + 1


def test_two_of_three_within_ten_batches_or_any() -> None:
    records = (Record(1, None, {"S.G": 0.1, "Q": 0.9, "D": 3.0}),)
    case = Case("x", None, 100, records)
    drifts = [Drift("Q", 900, 1000), Drift("D", 1800, 2000), Drift("D", 5000, 5100)]
    assert fuse(case, drifts, "2 of 3") == [Alarm(900, 2000)]
    assert len(fuse(case, drifts, "any")) == 3
    alone = Case("y", None, 100, (Record(1, None, {"Q": 0.9}),))
    assert fuse(alone, drifts[:1], "2 of 3") == [Alarm(900, 1000)]


def falling(length: int, at: int) -> Stream:
    noise = np.random.default_rng(1).normal(0, 0.05, length)
    values = [3.0 + noise[i] - (1.5 if i >= at else 0) for i in range(length)]
    seen = (Observation(100 * i, 100 * i, None, x, x) for i, x in enumerate(values))
    return Stream("D", DIVERSITY, tuple(seen))


def test_rivals_find_a_step_for_the_worse_and_only_that() -> None:
    stream = falling(120, 70)
    upside_down = Stream("S.G", STABILITY, stream.observations)
    for name, grid in rivals().items():
        ways = [list(rival.drifts(stream)) for rival in grid]
        found = [drift for drifts in ways for drift in drifts]
        assert found, name
        assert {7000 <= drift.detected_step <= 9500 for drift in found} == {True}, name
        assert [drift for rival in grid for drift in rival.drifts(upside_down)] == [], name


def test_the_offline_bound_needs_no_time() -> None:
    (drift,) = Offline(20.0).drifts(falling(120, 70))
    assert (drift.step, drift.detected_step) == (7000, 7000)


def test_scaling_takes_out_level_and_spread() -> None:
    values = (100 + 10 * np.random.default_rng(2).normal(size=400)).tolist()
    scaled = np.array(standardised(values, 0.1)[40:])
    assert abs(np.median(scaled)) < 0.3
    assert 0.8 < np.std(scaled) < 1.5


def test_leads_and_false_warnings() -> None:
    turned = [Case(name, (5000, 5200), 100, ()) for name in "abc"]
    healthy = [Case(name, None, 100, ()) for name in "de"]
    steps = [4000, 4600, 6000, 100, None]
    found = lead("oscillating", list(zip([*turned, *healthy], steps, strict=True)))
    assert (found.turned, found.healthy, found.warned, found.lead) == (3, 2, 2, 7.0)
    assert (found.late, found.false) == (1, 1)
