"""Child processes that end with us, however we end."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO

#: prctl option: signal this process when its parent dies (Linux).
PR_SET_PDEATHSIG = 1
#: Children that ignore SIGTERM for this long are killed, seconds. Ctrl-C must take at most five.
TERMINATE_TIMEOUT_S = 2.5


def start_child(
    command: Sequence[str],
    *,
    stdin: int | None = subprocess.DEVNULL,
    output: IO[bytes] | int | None = None,
    environment: dict[str, str] | None = None,
    keep_open: Sequence[int] = (),
    orphan_signal: signal.Signals = signal.SIGTERM,
) -> "subprocess.Popen[bytes]":
    """Start a child in a session of its own (Ctrl-C reaches only us) that dies with its parent.

    On Linux its parent is the calling *thread*: call it from one that lives as long as the child.

    Args:
        command: program and arguments.
        stdin, output: as in `subprocess`; standard error goes where standard output goes.
        environment: variables to add.
        keep_open: file descriptors that it inherits.
        orphan_signal: what it gets when its parent dies (Linux); SIGKILL for one that a handler
            of its own could keep alive and that has nothing to save.
    """
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=output,
        stderr=output,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
        preexec_fn=_dying_with(os.getpid(), orphan_signal) if sys.platform == "linux" else None,
        pass_fds=keep_open,
    )


def stop_children(children: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Ask all to end, and after TERMINATE_TIMEOUT_S make them."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    give_up_s = time.monotonic() + TERMINATE_TIMEOUT_S
    for child in children:
        try:
            child.wait(max(0.0, give_up_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _dying_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    """What a child does first. The library is loaded here: after a fork, only calls are safe."""
    prctl = ctypes.CDLL(None).prctl

    def set_up() -> None:
        prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # It died before we asked to be told.
            os._exit(1)

    return set_up
