"""Who touches sockets, and which locks are held meanwhile."""

import socket
import threading
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest

#: Everything that may wait for the network.
SOCKET_CALLS = ("connect", "connect_ex", "send", "sendall", "recv", "recv_into", "sendmsg")


class Witness:
    """Records by thread, from now on; locks that exist already are not seen.

    Args:
        patch: undoes it at the end of the test.

    Attributes:
        calls: socket functions that each thread called.
        takers: idents of the threads that waited for each lock. (A thread that begins takes locks
            before it has a name.)
        across: locks that were held during a socket call.
        at_call: called at each of them.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: dict[str, set[str]] = defaultdict(set)
        self.takers: dict[WitnessedLock, set[int]] = defaultdict(set)
        self.across: set[WitnessedLock] = set()
        self.at_call: Callable[[], None] = lambda: None
        self._mine = threading.local()
        for name in SOCKET_CALLS:
            original = getattr(socket.socket, name)
            patch.setattr(socket.socket, name, self._seen(name, original))
        patch.setattr(socket, "getaddrinfo", self._seen("getaddrinfo", socket.getaddrinfo))
        for name in ("Lock", "RLock"):
            make = getattr(threading, name)
            patch.setattr(threading, name, lambda make=make: WitnessedLock(self, make()))

    def taken_by(self, thread: threading.Thread) -> set["WitnessedLock"]:
        """Locks for which a thread waited, or would have."""
        return {lock for lock, takers in self.takers.items() if thread.ident in takers}

    @property
    def held(self) -> list["WitnessedLock"]:
        """Locks of the calling thread."""
        if not hasattr(self._mine, "held"):
            self._mine.held = []
        held: list[WitnessedLock] = self._mine.held
        return held

    def _seen(self, name: str, original: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            self.calls[threading.current_thread().name].add(name)
            self.across.update(self.held)
            self.at_call()
            return original(*args, **named)

        return call


class WitnessedLock:
    """A lock whose takers are known.

    Args:
        witness: told of them.
        lock: a plain or reentrant one.
    """

    def __init__(self, witness: Witness, lock: Any) -> None:
        self._witness = witness
        self._lock = lock

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As the lock does it."""
        if blocking:
            self._witness.takers[self].add(threading.get_ident())
        taken = bool(self._lock.acquire(blocking, timeout))
        if taken:
            self._witness.held.append(self)
        return taken

    def release(self) -> None:
        """As the lock does it."""
        if self in self._witness.held:
            self._witness.held.remove(self)
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)
