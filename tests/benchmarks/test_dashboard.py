"""The benchmark of the page, as a dry run; what it counts holds whatever the time it took."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: Most points that the plot may hold: two curves of twice what is asked for, marks beside them.
MOST_POINTS = 10_000
#: DOM nodes by which an hour may differ from its first minute: labels, ticks and marks.
MOST_NODES = 600


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_a_dry_run_measures_every_part(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.dashboard", "--quick", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "dashboard.json").read_text())
    assert all(row["points"] > 0 for row in results["live"])
    assert results["live"][1]["others_bytes"] > 0
    (tabs,) = results["tabs"]
    assert tabs["lines"] == 1
    (day,) = results["day"]
    assert day["drawings"] > 0
    assert day["points_held"] < MOST_POINTS
    assert day["after"]["nodes"] - day["before"]["nodes"] < MOST_NODES
    cold, warm, zoom = results["long"]
    assert warm["requests"] == cold["requests"]
    assert zoom["max_ms"] > 0
    (runs,) = results["list"]
    assert runs["long_tasks"] >= 0
    for part in results.values():
        if isinstance(part, list):
            assert all(f"| {row['name']}" in done.stdout for row in part)
