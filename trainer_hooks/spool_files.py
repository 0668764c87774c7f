"""Frames on disk that are a file each: large ones, which may be given up one by one."""

import contextlib
from pathlib import Path

from trainer_hooks.wire import Frame, decode, encode

#: Most files of one kind: a disk has only so many entries.
MOST_FILES = 10_000

Key = tuple[int, int]


class SpoolFiles:
    """Files of one kind in one folder, in the order of their keys.

    Args:
        folder: where they lie; must be there before the first `add`.
        kind: first part of their names.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._sizes: dict[Key, int] = {}
        for path in sorted(folder.glob(f"{kind}-*.frame")):
            _, row, part = path.stem.split("-")
            self._sizes[int(row), int(part)] = path.stat().st_size
        self.nbytes = sum(self._sizes.values())

    def __contains__(self, key: object) -> bool:
        return key in self._sizes

    @property
    def first(self) -> Key | None:
        """Key of the oldest, or None."""
        return next(iter(self._sizes), None)

    @property
    def full(self) -> bool:
        """Whether the oldest must go before there can be another."""
        return len(self._sizes) >= MOST_FILES

    def add(self, key: Key, frame: Frame) -> None:
        """Write a frame.

        Raises:
            OSError: the disk refuses; nothing was added.
        """
        data = encode(frame)
        write(self._path(key), data)
        self._sizes[key] = len(data)
        self.nbytes += len(data)

    def read(self, key: Key) -> Frame:
        """The frame of a key.

        Raises:
            OSError, WireError: it cannot be read, or is none.
        """
        return decode(self._path(key).read_bytes())

    def remove(self, key: Key) -> None:
        """Forget a frame, if it is there, whatever the disk says to that."""
        self.nbytes -= self._sizes.pop(key, 0)
        with contextlib.suppress(OSError):
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: Key) -> Path:
        return self._folder / f"{self._kind}-{key[0]:012}-{key[1]:06}.frame"


def write(path: Path, data: bytes) -> None:
    """All of a file or nothing, even if we are killed.

    Raises:
        OSError: the disk refuses.
    """
    fresh = path.with_suffix(".new")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
