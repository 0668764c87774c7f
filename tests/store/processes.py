"""What Linux says of processes, for tests that nothing is left behind."""

import contextlib
import socket
import time
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
#: State of a listening socket in /proc/net/tcp.
LISTEN = "0A"


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be noticed as dead does not."""
    try:
        return _stat(pid)[0] not in ("Z", "X")
    except OSError:
        return False


def descendants(pid: int) -> set[int]:
    """Children of a process, their children, and so on."""
    parents = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int(_stat(int(folder.name))[1])
            except OSError:
                continue
    found: set[int] = set()
    while fresh := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= fresh
    return found


def marked(name: str, value: str) -> set[int]:
    """Processes with a variable in the environment that they were started with."""
    entry = f"{name}={value}".encode()
    found = set()
    for folder in PROC.iterdir():
        # A process that just ended, or that is not ours, cannot be read.
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and entry in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
    return found


def command_line(pid: int) -> list[str]:
    """Arguments, as everybody on the machine can read them."""
    return (PROC / str(pid) / "cmdline").read_text().split("\0")


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses and ports that a process listens on."""
    sockets = set()
    for descriptor in (PROC / str(pid) / "fd").iterdir():
        try:
            sockets.add(str(descriptor.readlink()))
        except OSError:
            continue
    found = set()
    for line in (PROC / "net" / "tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == LISTEN and f"socket:[{fields[9]}]" in sockets:
            host, _, port = fields[1].partition(":")
            found.add((socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)))
    return found


def gone(pids: Iterable[int], timeout_s: float) -> bool:
    """Whether all have ended, at the latest after `timeout_s`."""
    give_up_s = time.monotonic() + timeout_s
    left = set(pids)
    while left and time.monotonic() < give_up_s:
        left = {pid for pid in left if alive(pid)}
        time.sleep(0.02)
    return not left


def _stat(pid: int) -> list[str]:
    """State, parent and more, after the name, which may hold anything."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
