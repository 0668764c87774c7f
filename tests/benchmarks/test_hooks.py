"""The benchmark of the hooks runs and says what it should; never how fast anything was."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.hooks.blocks import Block, interleave
from benchmarks.hooks.catalogue import NOTHING, chosen
from benchmarks.hooks.figures import in_training, interval
from benchmarks.hooks.outages import SCENARIOS, suffer
from benchmarks.hooks.report import table
from benchmarks.hooks.training import Training, discriminator, generator
from benchmarks.hooks.variant import Values, Variant

ROOT = Path(__file__).parents[2]
OURS = ["sqd scalars", "sqd sketch, every iteration"]


class Instant(Training):
    """Iterations that take no time."""

    def __init__(self) -> None:
        self.device, self.step = torch.device("cpu"), 0

    def iterate(self) -> dict[str, torch.Tensor]:
        self.step += 1
        return {}


def test_networks_have_the_size_of_the_paper() -> None:
    sizes = [sum(p.numel() for p in make(64).parameters()) for make in (generator, discriminator)]
    assert sizes == [3_576_704, 2_765_568]


def test_quick_run_of_ours(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.hooks", "--quick", "--only", "sqd s", "--threads"]
    parts = ["1", "--parts", "training", "alone", "--output", str(tmp_path)]
    # No browser: the picture is not what is tested.
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    done = subprocess.run(
        [*command, *parts], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "hooks.json").read_text())
    rows = {row["name"]: row for row in results["training"]}
    assert list(rows) == [NOTHING, *OURS]
    assert all(row["ratio_95"][0] <= row["ratio"] <= row["ratio_95"][1] for row in rows.values())
    assert all(row["call"]["p50_us"] <= row["call"]["p99_us"] for row in rows.values())
    assert rows[NOTHING]["bytes_per_iteration"] == 0
    scalars, sketch = (rows[name]["bytes_per_iteration"] for name in OURS)
    assert 0 < scalars < sketch
    assert [row["name"] for row in results["alone"]] == OURS
    assert results["outages"] == []
    assert set(results["about"]) >= {"date", "machine", "versions", "options", "notes"}
    assert all(f"| {name} |" in done.stdout for name in OURS)
    assert (tmp_path / "hooks.html").exists()


def test_redis_killed_under_a_trainer(tmp_path: Path) -> None:
    killed = SCENARIOS[0]
    assert (killed.name, killed.how) == ("sqd scalars", "killed")
    row = suffer(killed, tmp_path / "outage", calls=3, limit_s=60)
    assert (row["calls"], row["raised"], row["stuck_s"]) == (3, 0, None)
    assert (row["ended"], row["exit_code"]) == (True, 0)
    assert row["exit_s"] >= 0
    assert row["healthy"] is not None


def test_package_that_is_not_there_gets_a_row(tmp_path: Path) -> None:
    missing = replace(SCENARIOS[-1], package="nobody_has_this_package")
    row = suffer(missing, tmp_path / "outage", calls=3, limit_s=60)
    assert row == {"name": "Aim server", "how": "frozen", "missing": "not installed"}


def test_blocks_are_compared_with_their_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.hooks.blocks.SETTLE_S", 0.0)
    called: list[int] = []

    class Counting(Variant):
        def call(self, step: int, values: Values) -> None:
            called.append(step)

    training = Instant()
    variants: dict[str, Any] = {name: Counting(training, Path()) for name in ("a", "b", "c", "d")}
    blocks = interleave(training, variants, rounds=2, iterations=3)
    names = [block.name for block in blocks]
    assert sorted(names) == sorted([*"abcd" * 2, *[NOTHING] * 5])
    assert [place for place, name in enumerate(names) if name == NOTHING] == [0, 4, 6, 10, 12]
    # One block to warm up and two more, each of three iterations and one that is not timed.
    assert len(called) == 4 * 3 * 4
    first, second = blocks[0].iteration_s, blocks[4].iteration_s
    assert blocks[1].beside_s == blocks[3].beside_s == (first + second) / 2


def test_row_of_known_blocks() -> None:
    blocks = [Block("a", 0.2, [0.001, 0.003], beside_s=0.1), Block("a", 0.4, [0.004] * 2, 0.1)]
    row = in_training("a", blocks)
    assert (row["iteration_ms"], row["ratio"]) == (pytest.approx(300), pytest.approx(3))
    assert row["ratios"] == [pytest.approx(2), pytest.approx(4)]
    assert row["call_share"] == pytest.approx(0.012 / 1.2)
    assert row["call"]["max_us"] == pytest.approx(4000)


def test_interval_holds_the_median_and_shrinks() -> None:
    few, many = interval([1.0, 1.1, 1.2]), interval([1.0, 1.1, 1.2] * 100)
    assert few[0] <= 1.1 <= few[1]
    assert many[1] - many[0] < few[1] - few[0]


def test_rows_are_chosen_by_their_beginning() -> None:
    assert chosen(["sqd a", "MLflow b", "my sqd"], ["SQD", "ml"]) == ["sqd a", "MLflow b"]
    assert chosen(["a", "b"], []) == ["a", "b"]


def test_table_survives_what_a_peer_says() -> None:
    assert table(("a", "b"), [("x|y", "z")]) == "| a | b |\n|---|---|\n| x/y | z |"
