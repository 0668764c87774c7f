"""The benchmark of the page, as a dry run; what it counts holds whatever the time it took."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: Most points that the plot may hold, of 18,000: two curves of twice what is asked for.
MOST_POINTS = 8000
#: DOM nodes by which the page may have grown: two drawings that are not collected yet.
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
    assert day["points_held"] <= MOST_POINTS
    assert day["after"]["nodes"] - day["before"]["nodes"] < MOST_NODES
    assert [row["name"][:11] for row in results["long"]] == ["first paint"] * 2 + ["zoom to 1,0"]
    (runs,) = results["list"]
    assert runs["nodes"] > 0
    for part in results.values():
        if isinstance(part, list):
            assert all(f"| {row['name']}" in done.stdout for row in part)
