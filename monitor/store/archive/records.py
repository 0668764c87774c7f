"""The bytes of an archive: records of length-prefixed strings, a checksum at the end.

docs/archive-format.md is the specification. Nothing is compressed: what a file can claim is bounded
by its size, so that no small file becomes a large one. Whoever reads one trusts no byte of it.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from monitor.errors import ArchiveError

#: First bytes; what changes line ends or cuts the eighth bit breaks them.
MAGIC = b"\x89SQDRUN\n"
VERSION = 1
#: What each record holds.
HEADER, KEY, ITEM, END = b"H", b"K", b"I", b"E"
TAGS = (HEADER, KEY, ITEM, END)
#: Bytes of a record's strings together: image grids have at most one million, all else has less.
MOST_RECORD_BYTES = 64 * 2**20
#: Strings of a record: an event has seven.
MOST_STRINGS = 64

_VERSION = struct.Struct("<I")
_HEAD = struct.Struct("<cI")
_LENGTH = struct.Struct("<I")

Record = tuple[bytes, list[bytes]]


class RecordWriter:
    """Writes records, then the checksum over all of them.

    Args:
        file: open for writing, at its beginning.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.nbytes = 0
        self._put(MAGIC + _VERSION.pack(VERSION))

    def write(self, tag: bytes, strings: Sequence[bytes]) -> None:
        """Append one record.

        Raises:
            ArchiveError: it is larger than any reader takes.
        """
        size = sum(map(len, strings))
        if size > MOST_RECORD_BYTES or len(strings) > MOST_STRINGS:
            raise ArchiveError(
                f"a value has {size:,} bytes in {len(strings)} strings; an archive takes "
                f"{MOST_RECORD_BYTES:,} in {MOST_STRINGS}"
            )
        self._put(_HEAD.pack(tag, len(strings)))
        for string in strings:
            self._put(_LENGTH.pack(len(string)))
            self._put(string)

    def end(self) -> None:
        """Append the checksum; nothing may follow."""
        self.write(END, [self._digest.digest()])

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)
        self.nbytes += len(data)


class RecordReader:
    """Reads records; each is checked against the limits before anything is allocated for it.

    Args:
        file: open for reading, at its beginning.
        size: of the file, bytes.
    Raises:
        ArchiveError: the file is no archive, or one of a version that is not known.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size
        self._digest = hashlib.sha256()
        if size < len(MAGIC) or self._take(len(MAGIC)) != MAGIC:
            raise ArchiveError("the file is no archive of a run (see `sqd archive`)")
        (version,) = _VERSION.unpack(self._take(_VERSION.size))
        if version != VERSION:
            raise ArchiveError(
                f"the archive has version {version}; this sqd reads version {VERSION}"
            )

    @property
    def checksum(self) -> str:
        """SHA-256 of everything that was read so far."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[Record]:
        """All records but the last, whose checksum has then been compared."""
        while True:
            expected = self._digest.digest()
            tag, strings = self._record()
            if tag != END:
                yield tag, strings
                continue
            if strings != [expected]:
                raise ArchiveError("the archive is damaged: its checksum differs")
            if self._left:
                raise ArchiveError(f"{self._left:,} bytes follow the end of the archive")
            return

    def _record(self) -> Record:
        tag, count = _HEAD.unpack(self._take(_HEAD.size))
        if tag not in TAGS:
            raise ArchiveError(f"the archive is damaged: no record begins with {tag!r}")
        if count > MOST_STRINGS:
            raise ArchiveError(
                f"a record of the archive claims {count:,} strings; at most {MOST_STRINGS} go in"
            )
        strings, room = [], MOST_RECORD_BYTES
        for _ in range(count):
            (length,) = _LENGTH.unpack(self._take(_LENGTH.size))
            if length > room:
                raise ArchiveError(
                    f"a string of the archive claims {length:,} bytes; {room:,} are allowed there"
                )
            room -= length
            strings.append(self._take(length))
        return tag, strings

    def _take(self, count: int) -> bytes:
        data = self._file.read(count) if count <= self._left else b""
        if len(data) != count:
            raise ArchiveError("the archive is truncated: it ends within a record")
        self._left -= count
        self._digest.update(data)
        return data
