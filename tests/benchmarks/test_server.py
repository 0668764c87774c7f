"""The benchmark of long runs, as a dry run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.e2e
def test_a_dry_run_asks_every_kind_of_query(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.server", "--quick", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "server.json").read_text())["rows"]
    assert [cells[-1] for cells in rows.values()] == ["2", "2", "2", "6", "1"]
