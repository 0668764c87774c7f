"""What could not be sent, on disk: bounded, in order, sent later by us or by `sqd sync`.

One folder a trainer process (segment)::

    about.json             the run, how far it is registered, whether it ended
    lock                   held while its process lives
    weights-00000000.log   scalars and sketches: kept longest
    samples-….frame        chunks of sample batches
    heavy-….frame          full snapshots of weights records: the first to go
"""

import contextlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from trainer_hooks.errors import WireError
from trainer_hooks.folder_lock import FolderLock
from trainer_hooks.outgoing import Outgoing, samples_outgoing, weights_outgoing
from trainer_hooks.spool_files import SpoolFiles, write
from trainer_hooks.spool_log import Record, SpoolLog
from trainer_hooks.tables import attached, detached
from trainer_hooks.wire import Frame, Kind, decode, encode

#: Run names are cut to this in names of folders, bytes: percent-encoded they may have 1,500.
NAME_BYTES = 100
#: Full snapshots of a long outage: so many bytes at once, then so many a second. The disk is the
#: training's, which reads its data from it.
HEAVY_BURST_BYTES, HEAVY_BYTES_S = 256 * 2**20, 8 * 2**20
#: What reading a file that was torn or is no frame of ours raises.
UNREADABLE = (OSError, WireError, KeyError, ValueError, TypeError, IndexError)


def folder_of(home: Path, run: str, segment: str) -> Path:
    """Folder of one trainer process."""
    return home / "spool" / f"{quote(run, safe='')[:NAME_BYTES]}-{segment}"


class Spool:
    """Frames of one trainer process on disk. Not safe across threads: `Outbox` guards it.

    Args:
        folder: its own; made when something is added.
        most_bytes: of all its files.
        count: told what was lost, by reason and amount.
        tell: what a later process must know of the run, as JSON.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        count: Callable[[str, int], None],
        tell: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self.folder = folder
        self._tell = tell
        self._told = ""
        self._most_bytes = most_bytes
        self._count = count
        self._lock: FolderLock | None = None
        self._log = SpoolLog(folder, lambda: count("torn.weights", 1))
        self._samples = SpoolFiles(folder, "samples")
        self._heavy = SpoolFiles(folder, "heavy")
        self._allowed_bytes, self._allowed_at_s = float(HEAVY_BURST_BYTES), time.monotonic()
        self._read: dict[Kind, Outgoing] = {}

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return self._log.nbytes + self._samples.nbytes + self._heavy.nbytes

    @property
    def empty(self) -> bool:
        """Whether nothing is there."""
        return not self.holds("weights") and not self.holds("samples")

    def claim(self) -> bool:
        """Make the folder ours; False if a living process has it.

        Raises:
            OSError: the disk refuses.
        """
        if self._lock is not None and not self.folder.exists():
            # Somebody removed it: what was in it is lost, what comes now is not.
            self._log.close()
            self._let_go()
        if self._lock is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FolderLock(self.folder)
        return self._lock.held

    def about(self) -> dict[str, Any]:
        """What its process said last; empty if that cannot be read."""
        with contextlib.suppress(OSError, ValueError):
            said = json.loads((self.folder / "about.json").read_text())
            return said if isinstance(said, dict) else {}
        return {}

    def add(self, outgoing: Outgoing, *, heavy: bool = True) -> None:
        """Write a frame behind the others; `heavy`: with its full snapshots.

        Raises:
            OSError: the disk refuses; nothing was added.
        """
        self.claim()
        self._describe()
        if outgoing.kind == "samples":
            self._make_room(outgoing.nbytes)
            self._samples.add(outgoing.key, outgoing.frame)
            return
        light, snapshots = detached(outgoing.frame)
        if snapshots is not None:
            self._add_heavy(outgoing, snapshots, wanted=heavy)
        payload = encode(light)
        self._make_room(len(payload))
        self._log.append(Record(payload, outgoing.amount, outgoing.last_row))

    def first(self, kind: Kind) -> Outgoing | None:
        """The oldest frame of a kind, or None."""
        if kind not in self._read:
            found = self._first_weights() if kind == "weights" else self._first_samples()
            if found is None:
                return None
            self._read[kind] = found
        return self._read[kind]

    def holds(self, kind: Kind) -> bool:
        """Whether there is anything of a kind."""
        if kind == "samples":
            return self._samples.first is not None
        return self._log.first() is not None

    def remove(self, outgoing: Outgoing) -> bool:
        """Forget this frame if it is the oldest of its kind; whether it was."""
        first = self.first(outgoing.kind)
        if first is None or first.key != outgoing.key:
            return False
        del self._read[outgoing.kind]
        if outgoing.kind == "samples":
            self._samples.remove(outgoing.key)
        else:
            self._log.pop()
            self._heavy.remove(outgoing.key)
        return True

    def close(self, *, unsaid: bool = False) -> None:
        """Leave the folder to others; gone if it is ours and nothing is in it.

        `unsaid`: whether what it tells of the run must be kept all the same, until Redis knows it.

        Raises:
            OSError: the disk refuses.
        """
        self._log.close()
        if unsaid:
            self.claim()
        if self._lock is None:
            return
        # What a living process is writing looks torn, or like nothing: only its owner may judge.
        if self._lock.held:
            if self.empty and not unsaid:
                shutil.rmtree(self.folder, ignore_errors=True)
            else:
                self._describe()
        self._let_go()

    def _let_go(self) -> None:
        assert self._lock is not None
        self._lock.release()
        self._lock, self._told = None, ""

    def _describe(self) -> None:
        told = json.dumps(self._tell())
        if told != self._told and told != "{}":
            write(self.folder / "about.json", told.encode())
            self._told = told

    def _add_heavy(self, outgoing: Outgoing, snapshots: Frame, *, wanted: bool) -> None:
        now_s = time.monotonic()
        earned = (now_s - self._allowed_at_s) * HEAVY_BYTES_S
        self._allowed_bytes = min(HEAVY_BURST_BYTES, self._allowed_bytes + earned)
        self._allowed_at_s = now_s
        if not wanted or outgoing.nbytes > self._allowed_bytes:
            self._count("behind.snapshots" if not wanted else "spool.snapshots", outgoing.amount)
            return
        self._allowed_bytes -= outgoing.nbytes
        self._make_room(outgoing.nbytes)
        self._heavy.add(outgoing.key, snapshots)

    def _first_weights(self) -> Outgoing | None:
        while record := self._log.first():
            try:
                frame = decode(record.payload)
                key = (record.last_row, 0)
                if key in self._heavy:
                    frame = attached(frame, self._heavy.read(key))
                return weights_outgoing(frame, record.amount)
            except UNREADABLE:
                self._count("torn.weights", record.amount)
                self._log.pop()
        return None

    def _first_samples(self) -> Outgoing | None:
        while (key := self._samples.first) is not None:
            try:
                return samples_outgoing(self._samples.read(key))
            except UNREADABLE:
                self._count("torn.samples", 1)
                self._samples.remove(key)
        return None

    def _make_room(self, nbytes: int) -> None:
        """Until `nbytes` fit: full snapshots go first, then samples, then the oldest rest."""
        while self.nbytes + nbytes > self._most_bytes or self._heavy.full or self._samples.full:
            heavy = self._heavy.first
            if heavy is not None and not self._samples.full:
                self._heavy.remove(heavy)
                self._read.pop("weights", None)
                self._count("spool.snapshots", 1)
            elif self._samples.first is not None:
                self._drop_samples()
            elif self._log.nbytes:
                self._read.pop("weights", None)
                self._count("spool.weights", self._log.drop_file())
            else:
                return

    def _drop_samples(self) -> None:
        first = self.first("samples")
        if first is not None:
            self._count("spool.samples", first.amount)
            self.remove(first)
