"""What `pip install .` gives: hooks with three dependencies, and a product with its assets."""

import os
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
#: Everything a trainer's environment needs for the hooks.
BASE = {"numpy", "redis", "safetensors"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def python_of(environment: Path) -> str:
    return str(environment / "bin" / "python")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An empty virtual environment."""
    target = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(target)], check=True)
    return target


def test_the_wheel_holds_every_asset(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assets = {path.name for path in (ROOT / "dashboard").iterdir() if path.suffix != ".json"}
    assert {f"monitor/server/dashboard/{name}" for name in assets} <= names
    assert "monitor/diversity/data/faces100.onnx" in names
    assert "monitor/diversity/data/faces100.safetensors" in names
    assert not any(name.startswith(("tests/", "benchmarks/", "examples/")) for name in names)


def test_hooks_install_with_three_dependencies(wheel: Path, environment: Path) -> None:
    pip = [python_of(environment), "-m", "pip", "install", "--quiet"]
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, *constraints, str(wheel)], check=True, capture_output=True)
    code = (
        "import sys, numpy, trainer_hooks as t\n"
        "run = t.start('r', flush_timeout_s=0.5, strict=True)\n"
        "for i in range(5): t.push_weights(i, G={'w': numpy.ones(9)}, scalars={'loss': 1.0})\n"
        "t.push_samples(0, numpy.zeros((2, 3, 8, 8), 'uint8'))\n"
        "run.finish(); print(sorted({'torch', 'monitor'} & set(sys.modules)))\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SQD_")}
    run = subprocess.run(
        [python_of(environment), "-c", code],
        env={**clean, "SQD_HOME": str(environment / "home")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (0, "[]\n"), run.stderr
    listed = subprocess.run(
        [python_of(environment), "-m", "pip", "list", "--format=freeze"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {line.split("==")[0] for line in listed.stdout.splitlines()}
    assert installed - {"pip", "setuptools", "wheel"} == BASE | {"sqd-monitor"}


def test_sqd_from_a_wheel_serves_its_assets(
    wheel: Path, environment: Path, start_product: Callable[..., Any], tmp_path: Path
) -> None:
    pip = [python_of(environment), "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(pip, check=True)
    # Dependencies from the tests' own environment; its editable install is not followed from here.
    site = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    product = start_product("up", python=python_of(environment))
    for path, fragment in (("/", b"<html"), ("/static/main.js", b"import"), ("/api/runs", b"[]")):
        with urllib.request.urlopen(product.url + path, timeout=10) as answer:
            assert fragment in answer.read()
    where = [python_of(environment), "-c", "import monitor; print(monitor.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(environment))
