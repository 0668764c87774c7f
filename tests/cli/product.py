"""`sqd` as a process of its own, and everything that it starts."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.store.processes import alive, command_line, descendants

#: Longest wait for an address, a point, a worker, seconds: on two cores with others at work.
WAIT_S = 60.0


class Product:
    """A running command.

    Args:
        home: its data directory.
        arguments: the command and its options.
    """

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.output: list[str] = []
        self.family: set[int] = set()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "monitor.cli", *arguments, "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=home.parent,
            env={name: value for name, value in os.environ.items() if name[:4] != "SQD_"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip())

    @property
    def url(self) -> str:
        """Address that it prints."""
        found: str = self.until(self._find_url, "it prints no address")
        return found

    @property
    def endpoint(self) -> dict[str, Any]:
        """What it tells hooks and commands, once it serves."""
        self.get("/api/runs")
        told: dict[str, Any] = json.loads((self.home / "endpoint").read_text())
        return told

    def _find_url(self) -> str:
        found = re.search(r"http://[\w.:\[\]]+", "\n".join(self.output))
        return found.group() if found else ""

    def get(self, path: str) -> Any:
        """JSON of an answer."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.load(answer)

    def workers(self) -> dict[str, int]:
        """Process of each lane that is there."""
        found = {}
        for pid in self.seen():
            words = self._words(pid)
            if "worker" in words:
                found["fast" if "fast" in words else "samples"] = pid
        return found

    def redis(self) -> list[int]:
        """Processes of the embedded Redis, the durable one first."""
        return sorted(pid for pid in self.seen() if "redis-server" in " ".join(self._words(pid)))

    def seen(self) -> set[int]:
        """All its processes, itself included; those seen earlier are remembered."""
        now = {self.process.pid, *descendants(self.process.pid)}
        self.family |= now
        return now

    def wait(self, timeout_s: float = WAIT_S) -> int:
        """Its exit code."""
        code = self.process.wait(timeout_s)
        self._reader.join(WAIT_S)
        return code

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Exit code, and how long it took in seconds."""
        self.seen()
        started_s = time.monotonic()
        self.process.send_signal(number)
        return self.wait(), time.monotonic() - started_s

    def until(self, condition: Callable[[], Any], otherwise: str) -> Any:
        """What `condition` gives as soon as it is something."""
        give_up_s = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert time.monotonic() < give_up_s, (otherwise, self.output)
            assert self.process.poll() is None, (otherwise, self.output)
            time.sleep(0.05)
        return found

    def close(self) -> None:
        """Leave nothing behind, whatever the test did."""
        self.seen()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.family:
            if pid != self.process.pid and alive(pid):
                os.kill(pid, signal.SIGKILL)
        self._reader.join(WAIT_S)
        if self.process.stdout is not None:
            self.process.stdout.close()

    @staticmethod
    def _words(pid: int) -> list[str]:
        try:
            return command_line(pid)
        except OSError:
            return []


def products(root: Path) -> Iterator[Callable[..., Product]]:
    """Starts products on one home; all are closed at the end."""
    started: list[Product] = []

    def start(*arguments: str) -> Product:
        product = Product(root / "home", *arguments)
        started.append(product)
        return product

    yield start
    for product in started:
        product.close()
