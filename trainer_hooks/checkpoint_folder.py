"""Checkpoints of one training on disk: whole files, in the order they were taken, some pinned.

One folder::

    step-000000010500-000021.pt   taken after step 10500, the 21st
    pins.json                     which are kept whatever comes, and for which alerts
    lock                          held while its process lives
    new/                          what is being written
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from trainer_hooks.answers import Alert
from trainer_hooks.control import id_of
from trainer_hooks.errors import CheckpointError
from trainer_hooks.folder_lock import FolderLock
from trainer_hooks.spool import NAME_BYTES
from trainer_hooks.spool_files import write

#: The book of pins.
BOOK = "pins.json"
#: What of an alert is written beside its pin.
ALERT_FIELDS = ("id", "kind", "step", "detected_step", "message", "time")


@dataclass(slots=True)
class Taken:
    """One checkpoint on disk.

    Attributes:
        number: running, in the order they were taken.
        step: after which it was taken.
        path: its file, or its folder.
        alerts: for which it is pinned.
        hidden: whether the training went back behind it.
    """

    number: int
    step: int
    path: Path
    alerts: list[Alert] = field(default_factory=list)
    hidden: bool = False


class CheckpointFolder:
    """The checkpoints in one folder, which no other living process uses.

    Args:
        folder: made if it is not there.

    Attributes:
        run: id of the run, as the book says it.
        seen: ids of alerts that were considered, in the order they came.
        taken: what is there, in the order it was taken.

    Raises:
        CheckpointError: another process has it, or its book cannot be read.
        OSError: it cannot be made or read.
    """

    def __init__(self, folder: Path) -> None:
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = FolderLock(folder)
        if not self._lock.held:
            self._lock.release()
            raise CheckpointError(f"{folder}: another process keeps its checkpoints there")
        try:
            self._read()
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        """Take over what an earlier process left."""
        _remove(self.folder / "new")
        book = _read_book(self.folder)
        self.run, self.seen = book["run"], book["seen"]
        pins = {pin["number"]: pin["alerts"] for pin in book["pins"]}
        self.taken: list[Taken] = []
        for number, step, path in sorted(_found(self.folder)):
            self.hide(step)
            self.taken.append(Taken(number, step, path, pins.get(number, [])))
        self._next = max([each.number for each in self.taken], default=0) + 1

    def add(self, step: int, suffix: str, save: Callable[[Path], object]) -> Taken:
        """Have `save` write a checkpoint; it is there as a whole or not at all.

        Raises:
            CheckpointError: `save` wrote nothing where it was told to.
            OSError, and whatever `save` raises: nothing was added.
        """
        name = f"step-{step:012}-{self._next:06}{suffix}"
        fresh = self.folder / "new" / name
        fresh.parent.mkdir(exist_ok=True)
        try:
            save(fresh)
            if not fresh.exists():
                raise CheckpointError(f"save({str(fresh)!r}) left nothing there")
            fresh.replace(self.folder / name)
        finally:
            _remove(fresh.parent)
        self.hide(step)
        self.taken.append(Taken(self._next, step, self.folder / name))
        self._next += 1
        return self.taken[-1]

    def hide(self, step: int) -> None:
        """The training is at `step`, or goes on from there: what was taken later is past it."""
        for each in self.taken:
            each.hidden |= each.step >= step

    def before(self, step: int) -> Taken | None:
        """The newest that was taken before `step`."""
        fitting = (each for each in reversed(self.taken) if not each.hidden and each.step < step)
        return next((each for each in fitting if each.path.exists()), None)

    def pinned(self) -> list[Taken]:
        """Those that are pinned; who removed one made room for another."""
        self.taken = [each for each in self.taken if not each.alerts or each.path.exists()]
        return [each for each in self.taken if each.alerts]

    def pin(self, taken: Taken, alert: Alert) -> None:
        """Keep it for an alert, whatever comes; told to the disk by `tell`."""
        taken.alerts.append({name: alert.get(name) for name in ALERT_FIELDS})

    def pin_of(self, alert: str) -> Taken | None:
        """The one that is pinned for an alert's id."""
        pinned = self.pinned()
        return next((t for t in pinned if any(id_of(a) == alert for a in t.alerts)), None)

    def prune(self, keep: int) -> None:
        """Remove the oldest that are not pinned, until `keep` of those are left."""
        loose = [each for each in self.taken if not each.alerts]
        for each in loose[: max(0, len(loose) - keep)]:
            _remove(each.path)
            self.taken.remove(each)

    def tell(self) -> None:
        """Write the book: a process that resumes the run reads it.

        Raises:
            OSError: the disk refuses; the one before is still there.
        """
        pins = [{"number": each.number, "alerts": each.alerts} for each in self.pinned()]
        book = {"run": self.run, "pins": pins, "seen": self.seen}
        write(self.folder / BOOK, json.dumps(book).encode())

    def close(self) -> None:
        """Let another process have it."""
        if self._lock.held:
            self._lock.release()


def folder_for(home: Path, run: str, segment: str) -> Path:
    """Where one trainer process keeps its checkpoints, unless it is told."""
    return home / "checkpoints" / f"{quote(run, safe='')[:NAME_BYTES]}-{segment}"


def folder_of_earlier(home: Path, run: str) -> CheckpointFolder | None:
    """The folder of the newest process of `run` that lives no more."""
    ages = []
    for path in (home / "checkpoints").glob(f"*/{BOOK}"):
        with contextlib.suppress(CheckpointError, OSError):
            if _read_book(path.parent)["run"] == run:
                ages.append((path.stat().st_mtime, path.parent))
    for _, folder in sorted(ages, reverse=True):
        with contextlib.suppress(CheckpointError, OSError):
            return CheckpointFolder(folder)
    return None


def _found(folder: Path) -> Iterator[tuple[int, int, Path]]:
    for path in folder.glob("step-*-*"):
        _, step, number, *_ = *path.name.partition(".")[0].split("-"), ""
        if step.isdecimal() and number.isdecimal():
            yield int(number), int(step), path


def _read_book(folder: Path) -> dict[str, Any]:
    try:
        book = json.loads((folder / BOOK).read_text())
        return {
            "run": str(book["run"]),
            "seen": [str(name) for name in book["seen"]],
            "pins": [
                {"number": int(pin["number"]), "alerts": [dict(alert) for alert in pin["alerts"]]}
                for pin in book["pins"]
            ],
        }
    except FileNotFoundError:
        return {"run": "", "seen": [], "pins": []}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder / BOOK} cannot be read: {error!r}") from error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
