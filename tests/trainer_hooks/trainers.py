"""Trainers that are processes of their own, and always end with their test."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.trainer_hooks.mail import Mail

#: Longest life of a trainer, seconds; most of it is the import of torch on a busy machine.
LIFE_S = 90.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a trainer ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def in_a_process(mail: Mail, code: str, **environment: str) -> Ended:
    """Run a trainer of its own."""
    return in_processes(mail, ["-W", "error", "-c", code], [environment])[0]


def in_processes(
    mail: Mail, arguments: Sequence[str], environments: Sequence[dict[str, str]]
) -> list[Ended]:
    """Run Python trainers beside each other, each with its own further variables."""
    common = {**os.environ, "SQD_REDIS_URL": mail.redis_url}
    command = [sys.executable, *arguments]
    give_up_s = time.monotonic() + LIFE_S
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        started = []
        for number, environment in enumerate(environments):
            # Files, not pipes: a child that outlives its trainer could keep a pipe open.
            out, err = (
                stack.enter_context((folder / f"{number}.{kind}").open("w+"))
                for kind in ("out", "err")
            )
            trainer = subprocess.Popen(
                command, cwd=ROOT, env={**common, **environment}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
            stack.callback(_end, trainer)
            started.append((trainer, out, err))
        for trainer, _, _ in started:
            trainer.wait(max(0.1, give_up_s - time.monotonic()))
        ended = []
        for trainer, out, err in started:
            out.seek(0)
            err.seek(0)
            ended.append(Ended(trainer.returncode, out.read(), err.read()))
        return ended


def _end(trainer: "subprocess.Popen[bytes]") -> None:
    """Also its children, which share its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(trainer.pid, signal.SIGKILL)
    trainer.wait()
