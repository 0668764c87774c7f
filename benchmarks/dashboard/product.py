"""The product, its trainer and its other listeners, as processes and sockets of their own."""

import contextlib
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from monitor.store.connection import Store, open_store
from monitor.store.workers import alive_workers

#: Longest wait for the worker, seconds.
START_S = 120.0
#: Longest wait for a crowd's streams to open, seconds.
OPEN_S = 30.0
RECEIVE_BYTES = 65_536


class Product:
    """`sqd up` with a home of its own.

    Attributes:
        url: of the page.
        store: its Redis.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        command = [sys.executable, "-m", "monitor.cli", "up", "--home", str(home), "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        found = re.search(r"http://\S+", self._process.stdout.readline())
        if found is None:
            raise SystemExit("sqd up did not start")
        self.url = found.group()
        urls = json.loads((home / "endpoint").read_text())
        self.store: Store = open_store(urls["redis_url"], urls["blob_url"])
        self._wait_for_worker()

    def _wait_for_worker(self) -> None:
        """Both lanes: loading the evaluators takes a core for some seconds."""
        give_up_s = time.monotonic() + START_S
        while {each.get("lane") for each in alive_workers(self.store)} != {"fast", "samples"}:
            if time.monotonic() > give_up_s:
                raise SystemExit(f"no worker after {START_S:g} s")
            time.sleep(0.2)

    @contextlib.contextmanager
    def training(self, run: str, points_per_s: float) -> Iterator[None]:
        """A trainer that pushes two networks in a process of its own, until the block ends."""
        command = [sys.executable, "-m", "benchmarks.dashboard.trainer", run, str(points_per_s)]
        trainer = subprocess.Popen(command, env={**os.environ, "SQD_HOME": str(self._home)})
        try:
            yield
        finally:
            trainer.terminate()
            trainer.wait()

    def close(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


class Crowd:
    """Clients of one event stream that read what comes and forget it, in one thread.

    Args:
        url: of the server.
        path: of the stream.
        size: how many.
    """

    def __init__(self, url: str, path: str, size: int) -> None:
        parts = urlsplit(url)
        self.received_bytes = 0
        self._selector = selectors.DefaultSelector()
        request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
        for _ in range(size):
            line = socket.create_connection((parts.hostname or "", parts.port or 80), OPEN_S)
            line.sendall(request.encode())
            if not line.recv(RECEIVE_BYTES).startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"the server refused client {len(self._selector.get_map())}")
            line.setblocking(False)
            self._selector.register(line, selectors.EVENT_READ)
        self._closing = False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(0.2):
                part = key.fileobj.recv(RECEIVE_BYTES)  # type: ignore[union-attr]
                if not part:
                    self._selector.unregister(key.fileobj)
                self.received_bytes += len(part)

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing = True
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
