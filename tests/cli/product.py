"""`sqd` as a process of its own, and everything that it starts."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from monitor.client import Client
from tests.store.processes import alive, command_line, descendants, marked

#: Longest wait for an address, a point, a worker, seconds: on two cores with others at work.
WAIT_S = 60.0
#: Variable in the environment of all that a product starts.
MARK = "TESTED_PRODUCT"


class Product:
    """A running command.

    Args:
        home: its data directory.
        arguments: the command and its options.
        environment: more variables.
    """

    def __init__(
        self, home: Path, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self._mark = uuid.uuid4().hex
        self._known: set[int] = set()
        # No pipe: whoever outlives the product and holds its end would make the reader wait.
        self._written = home.parent / f"{self._mark}.log"
        clean = {name: value for name, value in os.environ.items() if name[:4] != "SQD_"}
        with self._written.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor.cli", *arguments, "--home", str(home)],
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=home.parent,
                env={**clean, **(environment or {}), MARK: self._mark},
            )

    @property
    def output(self) -> list[str]:
        """Lines that it has written so far."""
        return self._written.read_text().splitlines()

    @property
    def family(self) -> set[int]:
        """Living processes that it started, also those whose parent has died."""
        # Redis writes its title over its environment: it is known as a child, and remembered.
        self._known |= marked(MARK, self._mark) | descendants(self.process.pid)
        return {pid for pid in {*self._known, self.process.pid} if alive(pid)}

    @property
    def url(self) -> str:
        """Address that it prints."""
        found: str = self.until(self._find_url, "it prints no address")
        return found

    @property
    def endpoint(self) -> dict[str, Any]:
        """What it tells hooks and commands, once it serves."""
        list(self.client.runs())
        told: dict[str, Any] = json.loads((self.home / "endpoint").read_text())
        return told

    def _find_url(self) -> str:
        found = re.search(r"http://[\w.:\[\]]+", "\n".join(self.output))
        return found.group() if found else ""

    @property
    def client(self) -> Client:
        """Of its server, which has no token."""
        return Client(self.url)

    def workers(self) -> dict[str, int]:
        """Process of each lane that is there."""
        found = {}
        for pid in self.family:
            words = self._words(pid)
            if "worker" in words:
                found["fast" if "fast" in words else "samples"] = pid
        return found

    def redis(self) -> list[int]:
        """Processes of the embedded Redis, the durable one first."""
        return sorted(pid for pid in self.family if "redis-server" in " ".join(self._words(pid)))

    def wait(self, timeout_s: float = WAIT_S) -> int:
        """Its exit code."""
        return self.process.wait(timeout_s)

    def left(self, timeout_s: float) -> list[list[str]]:
        """Command lines of what still runs of it after `timeout_s`."""
        give_up_s = time.monotonic() + timeout_s
        while (family := self.family) and time.monotonic() < give_up_s:
            time.sleep(0.02)
        return [self._words(pid) for pid in family]

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Exit code, and how long it took in seconds."""
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
        for pid in self.family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

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
