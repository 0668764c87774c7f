"""The servers of other trackers, each started as its documentation says, and what its page asks."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.hooks.servers import Command
from benchmarks.server.asking import Question
from benchmarks.server.points import Points
from benchmarks.server.subject import Answer, Subject
from benchmarks.server.writers import save

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
#: What MLflow's page asks for of a metric.
MLFLOW_POINTS = 320


class MissingPeerError(Exception):
    """The package is not installed in the peers' Python."""


class Peer(Subject):
    """Another tracker's server with the points, which its own interface has written.

    Args:
        points: of the run.
        folder: for what it keeps.
        python: with the peers' packages (`make bench-peers`).
    Raises:
        MissingPeerError: its package is not there.
    """

    #: Its package, by which `benchmarks.server.writers` knows it, and its command.
    package: str
    #: Arguments of that command; ``{port}`` and ``{folder}``, which holds the points.
    arguments: Sequence[str]

    def __init__(self, points: Points, folder: Path, python: Path) -> None:
        command = python.parent / self.package
        if not command.exists():
            raise MissingPeerError(f"no {self.package} beside {python}: make bench-peers")
        data = folder / "data"
        data.mkdir(parents=True)
        save(points, folder / "points.npz")
        writer = ("-m", "benchmarks.server.writers", self.package)
        told = subprocess.run(
            [str(python), *writer, str(folder / "points.npz"), str(data)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        self.run = told.stdout.split()[-1]
        arguments = [each.replace("{folder}", str(data)) for each in self.arguments]
        self._server = Command(folder, arguments=[str(command), *arguments], python=str(python))
        self.port = self._server.port

    @property
    def pids(self) -> list[int]:
        """Its first process."""
        return [self._server.pid]

    def close(self) -> None:
        """End it."""
        self._server.close()


class TensorBoard(Peer):
    """`tensorboard --logdir`; the Time Series page."""

    name, package = "TensorBoard", "tensorboard"
    arguments = ("--logdir", "{folder}", "--host", "127.0.0.1", "--port", "{port}")

    def question(self, metric: str) -> Question:
        requests = json.dumps([{"plugin": "scalars", "tag": metric}])
        path = "/experiment/defaultExperimentId/data/plugin/timeseries/timeSeries"
        return Question("POST", path, urlencode({"requests": requests}), FORM)

    def read(self, metric: str, content: bytes) -> Answer:
        (answer,) = json.loads(content)
        found = answer.get("runToSeries", {}).get(self.run, [])
        return [each["step"] for each in found], [each["value"] for each in found]


class MLflow(Peer):
    """`mlflow server` over SQLite; the page of a run's metrics."""

    name, package = "MLflow", "mlflow"
    arguments = (
        *("server", "--host", "127.0.0.1", "--port", "{port}"),
        *("--backend-store-uri", "sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", "{folder}/artifacts"),
    )

    def question(self, metric: str) -> Question:
        asked = {"run_ids": self.run, "metric_key": metric, "max_results": MLFLOW_POINTS}
        path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
        return Question("GET", f"{path}?{urlencode(asked)}")

    def read(self, metric: str, content: bytes) -> Answer:
        found: list[dict[str, Any]] = json.loads(content).get("metrics", [])
        # What is 0 is left out, and large integers are strings.
        return [int(each.get("step", 0)) for each in found], [each["value"] for each in found]


class Aim(Peer):
    """`aim up`; the page of a run's metrics."""

    name, package = "Aim", "aim"
    arguments = ("up", "--repo", "{folder}", "--host", "127.0.0.1", "--port", "{port}")

    def question(self, metric: str) -> Question:
        body = json.dumps([{"name": metric, "context": {}}])
        return Question("POST", f"/api/runs/{self.run}/metric/get-batch/", body, JSON)

    def read(self, metric: str, content: bytes) -> Answer:
        (found,) = json.loads(content)
        return found["iters"], found["values"]


PEERS: tuple[type[Peer], ...] = (TensorBoard, MLflow, Aim)
