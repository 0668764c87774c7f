"""Records on disk, appended at one end and read from the other; whatever is torn is skipped.

A record is 24 bytes, little-endian: ``sqd1``, length, CRC-32, pushes (u32 each), newest row (u64);
then the payload. What was written survives the process, at any moment of its death.
"""

import contextlib
import errno
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trainer_hooks.wire import MAX_FRAME_BYTES

HEADER = struct.Struct("<4sIIIQ")
MAGIC = b"sqd1"
#: A file is closed at this size, and deleted when all of it was read.
FILE_BYTES = 16 * 2**20
#: Largest record, bytes: what a frame may have.
MOST_BYTES = MAX_FRAME_BYTES


@dataclass(frozen=True, slots=True)
class Record:
    """What was appended: payload, number of pushes in it, its newest row."""

    payload: bytes
    amount: int
    last_row: int

    @property
    def nbytes(self) -> int:
        """Bytes on disk."""
        return HEADER.size + len(self.payload)


class SpoolLog:
    """Files of records in one folder; goes on where an earlier process ended.

    Args:
        folder: where they lie; must be there before the first `append`.
        torn: called for each stretch that is no record, and for a file that has vanished.
    """

    def __init__(self, folder: Path, torn: Callable[[], None]) -> None:
        self._folder = folder
        self._torn = torn
        #: Size of each file, oldest first.
        self._files = {path: path.stat().st_size for path in sorted(folder.glob("weights-*.log"))}
        self._offset = 0
        self._writer: IO[bytes] | None = None
        self._first: Record | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(self._files.values())

    def append(self, record: Record) -> None:
        """Write a record; it is with the operating system when this returns.

        Raises:
            OSError: the disk refuses; nothing was added.
        """
        check = zlib.crc32(record.payload)
        header = HEADER.pack(MAGIC, len(record.payload), check, record.amount, record.last_row)
        writer = self._writer or self._next_file()
        place = writer.tell()
        try:
            if writer.write(header + record.payload) != record.nbytes:
                raise OSError(errno.ENOSPC, "the disk is full")
        except OSError:
            writer.seek(place)
            writer.truncate()
            raise
        self._files[self._newest] += record.nbytes
        if writer.tell() >= FILE_BYTES:
            self.close()

    def first(self) -> Record | None:
        """The oldest record, or None; the same until it is popped."""
        while self._first is None and self._files:
            found = next(self._records(), None)
            if found is None:
                self._forget_file()
            else:
                self._offset, self._first = found
        return self._first

    def pop(self) -> None:
        """Forget the oldest record."""
        if self.first() is not None:
            self._first = None

    def drop_file(self) -> int:
        """Forget the oldest file; how many pushes were in it that nobody had read."""
        lost = self._first.amount if self._first else 0
        if self._files:
            lost += sum(record.amount for _, record in self._records())
            self._forget_file()
        return lost

    def close(self) -> None:
        """Write no more to the newest file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    @property
    def _oldest(self) -> Path:
        return next(iter(self._files))

    @property
    def _newest(self) -> Path:
        return next(reversed(self._files))

    def _next_file(self) -> IO[bytes]:
        number = int(self._newest.stem.rpartition("-")[2]) + 1 if self._files else 0
        path = self._folder / f"weights-{number:08}.log"
        # Unbuffered: a process that is killed leaves nothing in its memory.
        self._writer = path.open("xb", buffering=0)
        self._files[path] = 0
        return self._writer

    def _forget_file(self) -> None:
        path = self._oldest
        del self._files[path]
        if not self._files:
            self.close()
        self._offset, self._first = 0, None
        with contextlib.suppress(OSError):  # A disk that refuses keeps a file, and nothing else.
            path.unlink(missing_ok=True)

    def _records(self) -> Iterator[tuple[int, Record]]:
        """Whole records of the oldest file that were not read, each with the place behind it."""
        try:
            with self._oldest.open("rb") as file:
                file.seek(self._offset)
                yield from _records(file, self._torn)
        except OSError:
            self._torn()


def _records(file: IO[bytes], torn: Callable[[], None]) -> Iterator[tuple[int, Record]]:
    while True:
        place = file.tell()
        header = file.read(HEADER.size)
        if not header:
            return
        record = _record(header, file)
        if record is not None:
            yield file.tell(), record
            continue
        torn()
        if not _seek_next(file, place + 1):
            return


def _record(header: bytes, file: IO[bytes]) -> Record | None:
    if len(header) < HEADER.size:
        return None
    magic, length, check, amount, last_row = HEADER.unpack(header)
    if magic != MAGIC or length > MOST_BYTES:
        return None
    payload = file.read(length)
    whole = len(payload) == length and zlib.crc32(payload) == check
    return Record(payload, amount, last_row) if whole else None


def _seek_next(file: IO[bytes], place: int) -> bool:
    """Go to the next thing that looks like a record; whether there is one."""
    file.seek(place)
    found = file.read().find(MAGIC)
    if found >= 0:
        file.seek(place + found)
    return found >= 0
