"""`sqd` in this process: what it prints, and its exit code."""

import os
import signal
import sys
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import pytest

from monitor.cli import main


class Result(NamedTuple):
    """Exit code, and what was printed."""

    code: int
    out: str
    err: str


class Sqd(Protocol):
    """Runs a command."""

    def __call__(self, *arguments: str) -> Result:
        """`sqd` with these arguments."""


@pytest.fixture
def sqd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Sqd]:
    """Runs a command as the console script does."""
    handler = signal.getsignal(signal.SIGTERM)
    # A worker yields to trainings; all tests after it in this process would yield to the others.
    monkeypatch.setattr(os, "nice", lambda _: 0)

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["sqd", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        code = caught.value.code
        return Result(0 if code is None else int(code), out, err)

    yield run
    signal.signal(signal.SIGTERM, handler)
