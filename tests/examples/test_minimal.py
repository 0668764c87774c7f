"""The README's promise: watching an existing trainer takes three more lines."""

import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest

MINIMAL = Path(__file__).parents[2] / "examples" / "minimal"
README = Path(__file__).parents[2] / "README.md"


def test_the_watched_trainer_only_adds_three_lines() -> None:
    plain, watched = ((MINIMAL / name).read_text() for name in ("plain.py", "watched.py"))
    changes = list(difflib.ndiff(plain.splitlines(), watched.splitlines()))
    removed = [line for line in changes if line.startswith("- ")]
    added = [line[2:].strip() for line in changes if line.startswith("+ ") and line[2:].strip()]
    assert len(removed) == 1, "only the docstring differs"
    assert len(added) == 4
    for line in added[1:3]:
        assert line.split("(")[0] in README.read_text()


@pytest.mark.parametrize("name", ["plain.py", "watched.py"])
def test_it_runs(name: str, tmp_path: Path) -> None:
    # Three steps prove that the script is whole; nobody listens, and it must not care.
    source = (MINIMAL / name).read_text().replace("STEPS = 100, 64, 3000", "STEPS = 100, 64, 3")
    assert "64, 3\n" in source
    script = tmp_path / name
    script.write_text(source)
    environment = {**os.environ, "SQD_HOME": str(tmp_path), "SQD_FLUSH_TIMEOUT_S": "1"}
    ran = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    assert "step 0: loss of D" in ran.stdout
