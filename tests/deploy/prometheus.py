"""A real Prometheus, as `make test` unpacks it, or the machine's."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import yaml

from monitor.process import start_child

#: Longest wait for it to start or to read something, seconds.
WAIT_S = 30.0


def program(name: str) -> str:
    """Path of `prometheus` or `promtool`."""
    unpacked = Path(sys.prefix, "prometheus", "usr", "bin", name)
    found = str(unpacked) if unpacked.exists() else shutil.which(name)
    assert found, f"there is no {name}: `make test` unpacks it into .venv"
    return found


def promtool(*arguments: str, given: str = "") -> str:
    """What it prints; it must find nothing wrong."""
    done = subprocess.run(
        [program("promtool"), *arguments], input=given, capture_output=True, text=True, timeout=60
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


class Prometheus:
    """Reads one server every second.

    Args:
        folder: for its configuration and data.
        settings: as in its file; where and how often it reads is replaced.
        target: host and port of the server.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], target: str) -> None:
        (scrape,) = settings["scrape_configs"]
        scrape |= {"scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
        # Subqueries without a step of their own take this one.
        settings = {**settings, "global": {"evaluation_interval": "1s"}}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self._log = (folder / "log").open("w+b")
        command = [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
        ]
        self._child = start_child(command, output=self._log)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now."""
        return list(self._get(f"query?query={quote(expression)}")["result"])

    def rules(self) -> list[dict[str, Any]]:
        """The rules that it has loaded."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def until(self, condition: Callable[[], Any]) -> Any:
        """What `condition` gives as soon as it is something."""
        give_up_s = time.monotonic() + WAIT_S
        while True:
            try:
                if found := condition():
                    return found
            except URLError:
                assert self._child.poll() is None, self._said()
            assert time.monotonic() < give_up_s, self._said()
            time.sleep(0.1)

    def close(self) -> None:
        """End it."""
        self._child.kill()
        self._child.wait()
        self._log.close()

    def _get(self, path: str) -> dict[str, Any]:
        with urlopen(f"{self.url}/api/v1/{path}", timeout=WAIT_S) as answer:
            told = json.load(answer)
        assert told["status"] == "success", told
        return dict(told["data"])

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()
