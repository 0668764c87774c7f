"""Child processes that end with us, however we end."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

#: prctl option: signal this process when its parent dies (Linux).
PR_SET_PDEATHSIG = 1
#: A child that ignores SIGTERM for this long is killed, seconds. Ctrl-C must take at most five.
TERMINATE_TIMEOUT_S = 2.5


def start_child(
    command: Sequence[str],
    *,
    stdin: int | None = subprocess.DEVNULL,
    output: IO[bytes] | int | None = None,
    environment: dict[str, str] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a child in a session of its own (Ctrl-C reaches only us) that dies with its parent."""
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=output,
        stderr=output,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )


def stop_children(children: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Ask all to end, then make them."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(TERMINATE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
