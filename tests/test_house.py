"""The house rules that a program can check (see docs/architecture.md)."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: Lines of a module; more fails.
MOST_LINES = 300
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc"}


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.suffix in suffixes and path.is_file()]


@pytest.mark.parametrize("suffix", [".py", ".js", ".css"])
def test_modules_are_short(suffix: str) -> None:
    product = [path for path in tracked(suffix) if "tests" not in path.relative_to(ROOT).parts]
    lengths = {path: len(path.read_text().splitlines()) for path in product}
    assert lengths, f"no {suffix} file found"
    limit = MOST_LINES if suffix != ".css" else 2 * MOST_LINES
    assert {path: n for path, n in lengths.items() if n > limit} == {}


def test_modules_are_named_after_what_they_hold() -> None:
    assert [path for path in tracked(".py", ".js") if path.stem in FORBIDDEN_NAMES] == []


def test_nothing_is_unpickled() -> None:
    pickling = re.compile(r"^\s*(import|from) (pickle|dill|cloudpickle|shelve|marshal)\b", re.M)
    product = [path for path in tracked(".py") if "tests" not in path.relative_to(ROOT).parts]
    assert [path for path in product if pickling.search(path.read_text())] == []


def test_no_package_registry_is_named() -> None:
    hosts = ("pypi" + ".org", "files.python" + "hosted", "registry.npm" + "js", "deb.deb" + "ian")
    texts = tracked(".py", ".js", ".md", ".toml", ".yml", ".txt", ".json", ".cfg", ".html")
    texts += [ROOT / "Dockerfile", ROOT / "Makefile", ROOT / ".ci" / "run"]
    assert [path for path in texts if any(host in path.read_text() for host in hosts)] == []


def test_only_config_reads_the_environment_of_the_monitor() -> None:
    reading = re.compile(r"os\.(environ(?!\.setdefault)|getenv)")
    readers = {
        path.relative_to(ROOT / "monitor").as_posix()
        for path in tracked(".py")
        if path.is_relative_to(ROOT / "monitor") and reading.search(path.read_text())
    }
    # process.py hands the environment on to children and reads nothing from it.
    assert readers <= {"config.py", "process.py"}
