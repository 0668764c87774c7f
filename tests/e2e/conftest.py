"""The real product as a process, and a real browser."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

#: Where Debian's package puts the browser; `make test` installs it.
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Screenshots for people; ignored by git.
ARTIFACTS = Path(__file__).parents[2] / "artifacts"
START_TIMEOUT_S = 60


class Product:
    """A running `sqd` command.

    Attributes:
        url: of the dashboard.
        home: its data directory.
        output: what it printed so far.
    """

    def __init__(self, home: Path, *arguments: str, python: str = sys.executable) -> None:
        self.home = home
        self.output: list[str] = []
        command = [python, "-m", "monitor.cli", *arguments]
        self.process = subprocess.Popen(
            [*command, "--home", str(home), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=home.parent,
            env={**os.environ, "SQD_HOME": str(home)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self._find_url()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip())

    def _find_url(self) -> str:
        give_up_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up_s and self.process.poll() is None:
            for line in self.output:
                found = re.search(r"http://[\w.:\[\]]+", line)
                if found:
                    return found.group()
            time.sleep(0.05)
        raise AssertionError(f"no address was printed: {self.output}")

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; missing is a failure where CI could have installed it."""
    if not Path(CHROMIUM).exists():
        message = f"{CHROMIUM} is missing: apt-get install chromium (`make test` does)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def artifacts() -> Path:
    """A folder for screenshots."""
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS


@pytest.fixture
def start_product(tmp_path: Path) -> Iterator[Any]:
    """Starts products that are stopped at the end of the test."""
    started: list[Product] = []

    def start(*arguments: str, home: Path | None = None, python: str = sys.executable) -> Product:
        product = Product(home or tmp_path / "home", *arguments, python=python)
        started.append(product)
        return product

    yield start
    for product in started:
        product.close()
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
