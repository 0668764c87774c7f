"""Frames in the order they are sent; the old end of each line may lie on disk.

The packer adds and spills, the sender takes. Its lock is held while the disk is written or read:
the training thread never takes it.
"""

import contextlib
import logging
import threading
import time
from collections import deque

from trainer_hooks.outgoing import Outgoing
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.spool import Spool
from trainer_hooks.wire import Kind

#: A frame that was not sent after this long goes to the disk, seconds: with the wait until it was
#: packed, less than the second after which nothing small may be lost with the process.
SPILL_AFTER_S = 0.5
#: A disk that refused is tried again after this long, seconds.
DISK_RETRY_S = 5.0
#: A frame is there as arrays and, while it is sent, as bytes.
FRAME_COPIES = 2
KINDS: tuple[Kind, ...] = ("weights", "samples")

log = logging.getLogger("trainer_hooks")


class Outbox:
    """Frames of one trainer process that must arrive.

    Args:
        queue: counts losses; told how many bytes are held here.
        spool: where frames go that cannot be sent; None: nowhere.

    Attributes:
        away: whether there is no Redis to send to: frames go to the disk at once.
        behind: whether the worker is behind: full snapshots are not worth the disk.
        room: set while no frame waits in memory.
        bell: set when a frame was added.
    """

    def __init__(self, queue: PushQueue, spool: Spool | None) -> None:
        self.away = False
        self.behind = False
        self.room = threading.Event()
        self.room.set()
        self.bell = threading.Event()
        self._queue = queue
        self._spool = spool
        self._lock = threading.RLock()
        self._memory: dict[Kind, deque[tuple[float, Outgoing]]] = {k: deque() for k in KINDS}
        self._reading_bytes = 0
        self._disk_at_s = 0.0
        self._closed = ""
        #: Whether any chunk of a sample batch is here; read by the training thread, without a lock.
        self.holds_samples = False

    @property
    def empty(self) -> bool:
        """Whether everything was sent."""
        with self._lock:
            return self.room.is_set() and (self._spool is None or self._spool.empty)

    def waits(self, kind: Kind) -> bool:
        """Whether a frame waits in memory: the next is packed when it has gone."""
        return bool(self._memory[kind])

    def first_row(self, otherwise: int) -> int:
        """The oldest weights row that is still to be sent."""
        first = self.first("weights")
        return first.first_row if first else otherwise

    def add(self, outgoing: Outgoing) -> None:
        """Put a frame behind the others of its kind; who comes after the end is too late."""
        with self._lock:
            if self._closed:
                self._queue.count_dropped(f"{self._closed}.{outgoing.kind}", outgoing.amount)
                return
            self._memory[outgoing.kind].append((time.monotonic(), outgoing))
            self._changed()
        self.bell.set()

    def first(self, kind: Kind) -> Outgoing | None:
        """The oldest frame of a kind, or None; it stays until it is `sent` or dropped."""
        with self._lock:
            if self._spool is not None and self._spool.holds(kind):
                found = self._spool.first(kind)
                if found is not None:
                    self._reading_bytes = found.nbytes
                    self._changed()
                    return found
            return self._memory[kind][0][1] if self._memory[kind] else None

    def sent(self, outgoing: Outgoing) -> None:
        """Forget a frame that arrived."""
        self._remove(outgoing)

    def drop(self, outgoing: Outgoing, reason: str) -> None:
        """Give up a frame."""
        if self._remove(outgoing):
            self._queue.count_dropped(f"{reason}.{outgoing.kind}", outgoing.amount)

    def drop_first(self, reason: str) -> None:
        """Give up the oldest frame of each kind: one of them cannot be sent. Never raises."""
        for kind in KINDS:
            with contextlib.suppress(Exception):
                first = self.first(kind)
                if first is not None:
                    self.drop(first, reason)

    def drop_all(self, reason: str) -> None:
        """Give up everything, on disk too."""
        for kind in KINDS:
            while outgoing := self.first(kind):
                self.drop(outgoing, reason)

    def spill(self, *, now: bool = False) -> None:
        """Bring to disk what waits too long, or, where others wait there before it, all of it.

        Args:
            now: everything, however short it waits; a disk that refused is tried again.
        """
        if self._spool is None or (time.monotonic() < self._disk_at_s and not now):
            return
        with self._lock:
            if self._closed:
                return
            try:
                for kind in KINDS:
                    self._spill(self._spool, kind, now=now or self.away)
            except OSError as error:
                if not self._disk_at_s:
                    log.warning("sqd: %s takes no spool: %s", self._spool.folder, error)
                self._disk_at_s = time.monotonic() + DISK_RETRY_S
            finally:
                self._changed()

    def close(self, reason: str, *, unsaid: bool = False) -> int:
        """Give up what is in neither place, leave the disk; bytes that wait there.

        `unsaid`: whether Redis has not heard how the run ended; then that is left on disk.
        """
        with self._lock:
            self._closed = reason
            for line in self._memory.values():
                for _, outgoing in line:
                    self._queue.count_dropped(f"{reason}.{outgoing.kind}", outgoing.amount)
                line.clear()
            self._changed()
            if self._spool is None:
                return 0
            with contextlib.suppress(OSError):
                self._spool.close(unsaid=unsaid)
            return self._spool.nbytes

    def _spill(self, spool: Spool, kind: Kind, *, now: bool) -> None:
        line = self._memory[kind]
        late_s = time.monotonic() - SPILL_AFTER_S
        while line and (now or spool.holds(kind) or line[0][0] <= late_s):
            spool.add(line[0][1], heavy=not self.behind)
            line.popleft()

    def _remove(self, outgoing: Outgoing) -> bool:
        with self._lock:
            line = self._memory[outgoing.kind]
            found = self._spool is not None and self._spool.remove(outgoing)
            if found and self._spool is not None and self._spool.empty:
                self._spool.close()
            if not found and line and line[0][1].key == outgoing.key:
                line.popleft()
                found = True
            self._reading_bytes = 0
            self._changed()
            return found

    def _changed(self) -> None:
        frames = [outgoing for line in self._memory.values() for _, outgoing in line]
        held = sum(outgoing.nbytes for outgoing in frames) + self._reading_bytes
        self._queue.hold("outbox", FRAME_COPIES * held)
        on_disk = self._spool is not None and self._spool.holds("samples")
        self.holds_samples = on_disk or bool(self._memory["samples"])
        (self.room.clear if frames else self.room.set)()
