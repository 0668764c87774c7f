"""The commands of docs/api.md, run word for word."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from monitor.server.app import create_app
from monitor.store.connection import Store
from monitor.store.workers import beat
from tests.server.laboratory import Laboratory, alert
from tests.server.listening import serving
from tests.server.test_samples import GRID, MODES

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
RUN = "100% of <demo>"
TOKEN = "correct horse ✓"


def commands() -> str:
    """The cookbook, as it stands there."""
    section = DOCUMENT.read_text().partition("\n## With curl\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


@pytest.fixture
def demo(store: Store, laboratory: Laboratory) -> Laboratory:
    """The run that the cookbook asks for."""
    run = laboratory.start(RUN, tags=("demo",))
    laboratory.weights(run, {"S.G": [0.1, None, 0.3], "Q": [0.5] * 3})
    laboratory.samples(run, 600, {"Q": [0.5]}, grid=GRID, modes=MODES)
    laboratory.watched(RUN, {"metrics": {}}, [alert(RUN, "diversity", 2)])
    beat(store, "w1", {"device": "cpu"})
    return laboratory


def test_cookbook_does_what_it_says(store: Store, demo: Laboratory, tmp_path: Path) -> None:
    with serving(create_app(store, token=TOKEN)) as client:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands()],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "SQD_URL": str(client.base_url).rstrip("/"),
                "SQD_TOKEN": TOKEN,
                "NO_PROXY": "*",
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert (tmp_path / ".sqd-header").stat().st_mode & 0o077 == 0
    assert "x-total-count: 1" in done.stdout.lower()
    rows = (tmp_path / "all.csv").read_text().splitlines()
    assert rows[0] == "metric,step,epoch,time,value,stderr,n,status"
    assert len(rows) > 4
    assert json.loads((tmp_path / "shape.json").read_text())["S.G"]["step"] == [2, 3]
    (told,) = json.loads((tmp_path / "alerts.json").read_text())
    assert told["run"] == RUN
    assert "304\n" in done.stdout
    assert "[600]" in done.stdout
    assert (tmp_path / "grid.webp").read_bytes() == GRID
    assert "event: status" in done.stdout
    assert '"reason":"the images repeat"' in done.stdout
    assert "sqd_runs" in done.stdout


def test_every_call_of_the_description_stands_in_the_document(store: Store) -> None:
    # Calls on the same thing share a heading, which spells the first of them in full.
    spelt = set(re.findall(r"/[\w./{}]+", DOCUMENT.read_text()))
    missing = [
        path
        for path in create_app(store).openapi()["paths"]
        if not any(path.endswith(end) for end in spelt if len(end) > 2)
    ]
    assert missing == []
