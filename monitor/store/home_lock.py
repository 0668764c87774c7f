"""One product a home: a lock that lasts as long as anything writes there."""

import fcntl
import os
import time
from pathlib import Path

from monitor.errors import StoreError

#: Longest wait for the Redis of a product that was killed to close its files, seconds.
LEAVING_TIMEOUT_S = 10.0
#: Waits between looks, seconds.
POLL_S = 0.05


class HomeLock:
    """Holds ``<home>/lock`` until `release`, and beyond while a child that inherited it lives.

    Args:
        home: made if missing.
    Raises:
        StoreError: the home cannot be written, or another product runs on it.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "lock"
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._file = self._acquire(home)
        except OSError as error:
            raise StoreError(
                f"{home} cannot be written ({error.strerror}); choose --home"
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def fileno(self) -> int:
        """Descriptor to be inherited by what must end before another may begin."""
        return self._file

    def release(self) -> None:
        """Let go, and leave no file behind."""
        self._path.unlink(missing_ok=True)
        os.close(self._file)

    def _acquire(self, home: Path) -> int:
        give_up_s = time.monotonic() + LEAVING_TIMEOUT_S
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(file, self._path):
                    return file
            except BlockingIOError:
                owner = os.read(file, 20).decode(errors="replace")
                if _lives(owner) or time.monotonic() > give_up_s:
                    os.close(file)
                    raise StoreError(
                        f"another `sqd up` or `sqd demo` (process {owner}) is running on {home}; "
                        "stop it or choose --home"
                    ) from None
            # Its owner was killed and its Redis is closing, or the file was just removed.
            os.close(file)
            time.sleep(POLL_S)


def _is_at(file: int, path: Path) -> bool:
    """Whether the path still leads to this file: who let go of it has removed it."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _lives(owner: str) -> bool:
    try:
        os.kill(int(owner), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
