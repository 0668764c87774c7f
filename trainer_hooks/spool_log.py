"""Records on disk, appended at one end and read from the other; whatever is torn is skipped.

A record is 24 bytes, little-endian: ``sqd1``, length, CRC-32, pushes (u32 each), newest row (u64);
then the payload. What was written survives the process, at any moment of its death.
"""

import errno
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HEADER = struct.Struct("<4sIIIQ")
MAGIC = b"sqd1"
#: A file is closed at this size, and deleted when all of it was read.
FILE_BYTES = 16 * 2**20


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
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = sorted(folder.glob("weights-*.log")) if folder.exists() else []
        self.nbytes = sum(path.stat().st_size for path in self._files)
        self._offset = 0
        self._writer: IO[bytes] | None = None
        self._first: Record | None = None

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
        self.nbytes += record.nbytes
        if writer.tell() >= FILE_BYTES:
            self.close()

    def first(self) -> Record | None:
        """The oldest record, or None; the same until it is popped."""
        while self._first is None and self._files:
            with self._files[0].open("rb") as file:
                file.seek(self._offset)
                found = next(_records(file), None)
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
            with self._files[0].open("rb") as file:
                file.seek(self._offset)
                lost += sum(record.amount for _, record in _records(file))
            self._forget_file()
        return lost

    def close(self) -> None:
        """Write no more to the newest file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _next_file(self) -> IO[bytes]:
        number = int(self._files[-1].stem.rpartition("-")[2]) + 1 if self._files else 0
        path = self._folder / f"weights-{number:08}.log"
        # Unbuffered: a process that is killed leaves nothing in its memory.
        self._writer = path.open("xb", buffering=0)
        self._files.append(path)
        return self._writer

    def _forget_file(self) -> None:
        path = self._files.pop(0)
        if not self._files:
            self.close()
        self.nbytes -= path.stat().st_size
        self._offset, self._first = 0, None
        path.unlink()


def _records(file: IO[bytes]) -> Iterator[tuple[int, Record]]:
    """Whole records from where `file` stands, each with the place behind it."""
    while True:
        place = file.tell()
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        magic, length, check, amount, last_row = HEADER.unpack(header)
        payload = file.read(length) if magic == MAGIC else b""
        if magic == MAGIC and len(payload) == length and zlib.crc32(payload) == check:
            yield file.tell(), Record(payload, amount, last_row)
        elif not _seek_next(file, place + 1):
            return


def _seek_next(file: IO[bytes], place: int) -> bool:
    """Go to the next thing that looks like a record; whether there is one."""
    file.seek(place)
    rest = file.read()
    found = rest.find(MAGIC)
    if found < 0:
        return False
    file.seek(place + found)
    return True
