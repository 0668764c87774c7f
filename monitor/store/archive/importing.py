"""An archive to a run: checked as a whole, then staged, then made visible by one script.

Nothing reaches Redis before every byte was checked. What is staged lies under names that nobody
reads and that expire: an import that is killed leaves nothing. The last step renames all of it.
"""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from monitor.errors import ArchiveError, UnknownRunError
from monitor.store.archive.contents import Header, Item, read_contents
from monitor.store.archive.parts import part_of
from monitor.store.archive.records import RecordReader
from monitor.store.archive.staging import Staging, check_free
from monitor.store.artifacts import modes_of
from monitor.store.connection import Store, text
from monitor.store.events import announce
from monitor.store.runs import HASHES, RunRecord, record_of
from trainer_hooks import keys

#: Bytes of what describes the run (settings, newest points, alerts): as much as all lists of runs
#: could still show; a run with a thousand tensors and a thousand alerts has one million.
MOST_HEAD_BYTES = 32 * 2**20
#: Rows of a trainer process, as in frames (docs/wire-format.md). Readers go by their number.
MOST_ROWS = 2**30
#: Part that holds the mode histograms.
MODES = part_of(keys.modes("any"))
#: What reading a description raises that no trainer or worker wrote.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True, slots=True)
class Survey:
    """What an archive holds, after all of it was checked."""

    header: Header
    record: RunRecord
    checksum: str


@dataclass(frozen=True, slots=True)
class Show:
    """Makes what REST does; what it cannot make, nobody could look at.

    Attributes:
        run: takes the run's description.
        modes: takes a mode histogram, as `artifacts.modes_of` gives it.
    """

    run: Callable[[RunRecord], object]
    modes: Callable[[Mapping[str, Any]], object]


def import_run(store: Store, path: Path, show: Show) -> RunRecord:
    """Restore a run from its archive, all of it or nothing.

    Args:
        store: both Redis servers.
        path: what `archive_run` wrote.
        show: refuses what could not be shown.
    Returns:
        The run, which no limit of age or size removes (`sqd keep`).
    Raises:
        ArchiveError: the file is not whole, not valid, or the name is taken; nothing was changed.
    """
    with _opened(path) as (file, size):
        survey = survey_archive(file, size, store.now_s(), show)
        run = survey.header.run
        check_free(store, run)
        file.seek(0)
        with Staging(store, run, uuid.uuid4().hex) as staging:
            reader = RecordReader(file, size)
            for item in read_contents(reader)[1]:
                staging.add(item)
            if reader.checksum != survey.checksum:
                raise ArchiveError(f"{path} changed while it was read; try again")
            staging.publish(survey.header.listed)
    announce(store, run, "status", {"run": run, "status": survey.record.status}, shard_only=True)
    return survey.record


def survey_archive(file: BinaryIO, size: int, now_s: float, show: Show) -> Survey:
    """Check every byte of an archive, and that the run it holds can be shown.

    Args:
        file: at its beginning.
        size: of the file, bytes.
        now_s: by the clock of the Redis that gets it.
        show: as in `import_run`.
    Raises:
        ArchiveError: says what is wrong.
    """
    reader = RecordReader(file, size)
    header, items = read_contents(reader)
    head = _Head()
    for item in items:
        head.take(item)
        if item.part == MODES:
            field, stored = item.strings
            step = int(field.partition(b":")[2])
            with _shown(f"the mode histogram of step {step:,}"):
                show.modes(modes_of(step, stored))
    with _shown(f"run {header.run!r}"):
        record = head.record(header.run, now_s)
        show.run(record)
    if record.status == "running":
        raise ArchiveError(
            f"run {header.run!r} in the archive claims that its trainer was heard "
            f"{record.heartbeat_age_s:.0f} s ago, by the clock of this Redis; try again later"
        )
    return Survey(header, record, reader.checksum)


@contextlib.contextmanager
def _shown(what: str) -> Iterator[None]:
    """Say in one sentence that something in the archive cannot be shown, and why."""
    try:
        yield
    except UnknownRunError as error:
        raise ArchiveError(str(error)) from error
    except UNREADABLE as error:
        said = " ".join(str(error).partition("For further information")[0].split())[:200]
        raise ArchiveError(
            f"{what} in the archive cannot be shown: {type(error).__name__}: {said}"
        ) from error


class _Head:
    """Collects the hashes that describe a run."""

    def __init__(self) -> None:
        self._hashes: dict[str, dict[str, str]] = {part_of(key("any")): {} for key in HASHES}
        self._nbytes = 0

    def take(self, item: Item) -> None:
        """Keep an item if it describes the run."""
        found = self._hashes.get(item.part)
        if found is None:
            return
        self._nbytes += sum(map(len, item.strings))
        if self._nbytes > MOST_HEAD_BYTES:
            raise ArchiveError(
                f"the run's description has more than {MOST_HEAD_BYTES:,} bytes, up to "
                f"{item.part!r}"
            )
        try:
            field, value = map(text, item.strings)
        except UnicodeDecodeError as error:
            raise ArchiveError(f"{item.part!r} of the archive is no text: {error}") from error
        found[field] = value

    def record(self, run: str, now_s: float) -> RunRecord:
        """The run as it would be read."""
        meta, segments = (self._hashes[part_of(k("any"))] for k in HASHES[:2])
        if not segments or meta.get("id") != run or meta.get("segment") not in segments:
            raise UnknownRunError(f"the archive lacks what makes {run!r} a run")
        record = record_of(run, list(self._hashes.values()), now_s)
        for segment in record.segments:
            for count in (segment.first_row, *segment.rows.values()):
                if not 0 <= count <= MOST_ROWS:
                    raise ValueError(f"{count:,} rows; at most {MOST_ROWS:,} are read")
        return record


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    try:
        with path.open("rb") as file:
            yield file, os.fstat(file.fileno()).st_size
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror or error}") from error
