"""A folder of our own while we live, on systems that have such locks."""

import os
from pathlib import Path
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: whoever syncs must know that the trainer has ended.
    fcntl = None


class FolderLock:
    """Holds ``<folder>/lock`` until `release` or our death.

    Args:
        folder: must exist.

    Attributes:
        held: whether it is ours; False: another living process has it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self.held = self._acquire()

    def release(self) -> None:
        """Let go."""
        os.close(self._file)
        self.held = False

    def _acquire(self) -> bool:
        if fcntl is None:
            return True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
