"""The benchmark of the evaluators runs and says what it should; never how fast anything was."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.evaluators.networks import IResNet50
from benchmarks.evaluators.pictures import pictures
from benchmarks.evaluators.timing import compare
from monitor.quality import FaceQuality

ROOT = Path(__file__).parents[2]


def test_quick_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.evaluators", "--quick", "--threads", "1"]
    # No browser: the picture is not what is tested.
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    done = subprocess.run(
        [*command, "--output", str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "evaluators.json").read_text())
    assert set(results["about"]) == {"date", "machine", "threads", "versions", "options", "notes"}
    for part in ("limits", "quality", "diversity", "nearest", "stability", "whole"):
        assert results[part][0]["ratio"] == 1
        assert all(f"| {row['name']}" in done.stdout for row in results[part])
    assert all(row["largest_difference"] <= 1e-5 for row in results["quality"])
    assert results["nearest"][0]["differ"] == 0
    errors = {row["name"]: row["errors"] for row in results["stability"]}
    ours = [error for name, row in errors.items() if "our" in name for error in row.values()]
    assert max(map(abs, ours)) < 1e-9
    assert abs(errors["float32 cosine, arccos"]["1e-06"]) > 0.5
    assert {(row["way"], row["n"]) for row in results["whole"]} == {
        *(("Q and D, faces100.onnx", n) for n in (4, 8)),
        *(("FID", n) for n in (2, 4)),
    }
    assert "random weights" in " ".join(results["about"]["notes"])
    assert "FID" in (tmp_path / "evaluators.html").read_text()


def test_ways_are_compared_round_by_round(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    taken = {"a": iter([1.0, 2.0, 4.0]), "b": iter([3.0, 2.0, 20.0])}

    def timed(way: object, device: str) -> float:
        assert callable(way)
        return next(taken[way()])

    monkeypatch.setattr("benchmarks.evaluators.timing.seconds", timed)

    def way_called(name: str) -> str:
        called.append(name)
        return name

    ways = {name: partial(way_called, name) for name in "ab"}
    first, second = compare(ways, 3, "cpu")
    assert (first["name"], first["seconds"], first["ratio"]) == ("a", 2.0, 1.0)
    assert (second["seconds"], second["ratio"]) == (3.0, 3.0)
    assert second["all_seconds"] == [3.0, 2.0, 20.0]
    assert sorted(called[2:4]) == sorted(called[4:6]) == called[:2] == ["a", "b"]


def test_pictures_are_three_quarters_faces() -> None:
    batch = pictures(120, 64)
    assert batch.shape == (120, 64, 64, 3)
    assert len(np.unique(batch.reshape(120, -1), axis=0)) == 120
    found = FaceQuality().score(batch) > 0.9
    assert found.tolist() == pytest.approx([i % 4 != 0 for i in range(120)])


def test_r50_has_the_size_of_arcface() -> None:
    with torch.device("meta"):
        network = IResNet50()
        features = network(torch.zeros(2, 3, 112, 112))
    assert features.shape == (2, 512)
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters == pytest.approx(43.6e6, rel=0.01)
