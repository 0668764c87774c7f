"""Our own server in a process of its own, over an embedded Redis that holds the points."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.server.asking import Question
from benchmarks.server.long_run import write_run
from benchmarks.server.points import Points
from benchmarks.server.subject import Answer, Subject
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from trainer_hooks import keys

#: Longest wait for the server to start, seconds.
START_S = 60.0
#: Between two looks at the watch, seconds.
LOOK_S = 1.0
RUN = "long"


class Product(Subject):
    """`sqd server` with one run.

    Args:
        points: of the run.
        folder: for what it keeps.
        name: of its row.
    """

    def __init__(self, points: Points, folder: Path, name: str = "sqd") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        with contextlib.ExitStack() as begun:
            self._redis = begun.enter_context(contextlib.closing(EmbeddedRedis(folder)))
            write_run(self._redis.store, RUN, points)
            self._server, self.port = serve(self._redis.store.redis_url, folder)
            begun.callback(end, self._server)
            wait_for_watch(self._redis.store, RUN, points.steps)
            self._begun = begun.pop_all()

    @property
    def pids(self) -> list[int]:
        """The server, and both Redis servers: the points lie there."""
        store = self._redis.store
        infos: list[Any] = [client.info("server") for client in (store.data, store.blobs)]
        return [self._server.pid, *(int(info["process_id"]) for info in infos)]

    def question(self, metric: str) -> Question:
        """Its page asks for 2000 points, which is the default."""
        return Question("GET", f"/api/runs/{RUN}/series?{urlencode({'metric': metric})}")

    def read(self, metric: str, content: bytes) -> Answer:
        """Columns, keyed by metric."""
        found = json.loads(content)[metric]
        return found["step"], found["value"]

    def close(self) -> None:
        """End the server, then Redis."""
        self._begun.close()


def end(server: "subprocess.Popen[str]") -> None:
    """Ask it to end, and wait."""
    server.send_signal(signal.SIGTERM)
    server.wait()


def wait_for_watch(store: Store, run: str, steps: int) -> None:
    """Until the detector has seen the run, which it would have done while it was trained."""
    seen = 0
    while seen < steps:
        time.sleep(LOOK_S)
        state = store.data.hget(keys.watch(run), "state")
        seen = json.loads(state)["places"]["weights"][-1] if isinstance(state, bytes) else 0


def serve(redis_url: str, folder: Path) -> "tuple[subprocess.Popen[str], int]":
    """A server on a free port, ready."""
    command = [sys.executable, "-m", "monitor.cli", "server", "--port", "0", "--home", str(folder)]
    server = subprocess.Popen(
        [*command, "--redis-url", redis_url], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    port = int(server.stdout.readline().rpartition(":")[2].strip().rstrip("/"))
    give_up_s = time.monotonic() + START_S
    while time.monotonic() < give_up_s:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return server, port
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")
