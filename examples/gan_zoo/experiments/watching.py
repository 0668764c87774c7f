"""The product beside the trainings of an experiment: the real one, with its own home."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from examples.gan_zoo.mixture import GRID
from monitor.process import start_child, stop_children

#: Longest wait for the product to start: torch, MTCNN and insightface are imported. Seconds.
START_S = 120.0
#: Longest wait for the last batches of a run to be evaluated, seconds.
SETTLE_S = 600.0
#: Between two looks, seconds.
LOOK_S = 1.0
#: HTTP status of a run that is unknown.
NOT_FOUND = 404


class Product:
    """`sqd up` with a home of its own, as a child of ours.

    Args:
        home: of it.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.url = str(json.loads((home / "endpoint").read_text())["server_url"])

    def runs(self) -> list[dict[str, Any]]:
        """All runs, as REST tells them."""
        return list(_get(self.url + "/api/runs"))

    def delete(self, run: str) -> None:
        """Forget a run, if there is one of this name."""
        request = urllib.request.Request(self._of(run), method="DELETE")
        try:
            urllib.request.urlopen(request).close()
        except HTTPError as error:
            if error.code != NOT_FOUND:
                raise

    def settle(self, run: str) -> None:
        """Wait until everything that a finished run pushed is evaluated.

        Raises:
            TimeoutError: the worker did not come to an end.
        """
        give_up_s = time.monotonic() + SETTLE_S
        while time.monotonic() < give_up_s:
            lag = _get(self._of(run))["lag"]
            if not (lag["samples_steps"] or lag["weights_steps"]):
                return
            time.sleep(LOOK_S)
        raise TimeoutError(f"run {run!r} was not evaluated within {SETTLE_S:g} s")

    def export(self, run: str) -> list[str]:
        """All points of a run, a line of JSON a step."""
        command = [sys.executable, "-m", "monitor.cli", "export", run, "--format", "jsonl"]
        done = subprocess.run(
            [*command, "--home", str(self.home)], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    def _of(self, run: str) -> str:
        return f"{self.url}/api/runs/{quote(run, safe='')}"


def _get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


@contextmanager
def watched(home: Path, worker: Sequence[str], log: Path) -> Iterator[Product]:
    """The product, running.

    Args:
        home: of it; what is there is kept.
        worker: options that say what computes Q and D.
        log: file that its output is added to.

    Raises:
        RuntimeError: it did not start.
    """
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "monitor.cli", "up", "--port", "0", "--home", str(home)]
    with log.open("ab") as output:
        child = start_child([*command, *worker], output=output)
        try:
            give_up_s = time.monotonic() + START_S
            while not _is_ready(home) or child.poll() is not None:
                # Another product on the same home is ready too, and ours ends.
                if child.poll() is not None or time.monotonic() > give_up_s:
                    raise RuntimeError(f"sqd up did not start; see {log}")
                time.sleep(LOOK_S)
            yield Product(home)
        finally:
            stop_children([child])


def _is_ready(home: Path) -> bool:
    try:
        urllib.request.urlopen(Product(home).url + "/readyz").close()
    except (OSError, ValueError, KeyError):
        return False
    return True


def evaluators(data: str, output: Path, chosen: Sequence[str]) -> list[str]:
    """Options of the worker for a kind of data.

    Args:
        data: ``faces``, ``mixture`` or ``folder:PATH``.
        output: folder in which a file may be written.
        chosen: options for a folder, which only its owner knows the reference set of.
    """
    if data == "faces":
        return ["--embedder", "faces100", "--reference", "faces100"]
    if data != "mixture":
        return list(chosen)
    file = output / "mixture.json"
    file.write_text(json.dumps({"modes": GRID.means.tolist(), "std": GRID.deviation}))
    return ["--quality", f"points:{file}", "--embedder", f"points:{file}"]
