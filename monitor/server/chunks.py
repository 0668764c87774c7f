"""Decoded chunks of metrics, kept while nothing is written to them: a bounded cache."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.server.downsample import downsample
from monitor.store.columns import ROWS_PER_CHUNK, Place
from monitor.store.connection import Store
from monitor.store.rows import MetricColumns, RowTable, read_rows
from monitor.store.series import Series
from monitor.types import STATUSES

#: Points that a chunk is outlined with, minimum and maximum of every 64 rows of a full one.
OUTLINE_POINTS = 128
#: Bytes of decoded chunks that are kept: ten metrics of two million rows take 210 MB.
KEPT_BYTES = 256 * 2**20
#: The same of outlines: 2.5 MB for two million rows of a metric.
OUTLINE_BYTES = 64 * 2**20
#: Chunks read from Redis at once; ten metrics of them are 30 MB.
CHUNKS_PER_READ = 64
#: Columns of a series: those that metrics of one push share, and its own.
INDEX, VALUES = ("step", "epoch", "time"), ("value", "stderr", "n", "status")
#: Bytes that an entry takes beside its arrays, about.
ENTRY_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of a chunk of one metric without its rows.

    Attributes:
        size: of its points.
        lowest, highest: their steps; of no points the largest and the smallest number.
        ascending: whether steps only rise, so that no point of the chunk hides another.
        points: its shape in `OUTLINE_POINTS`, and two for the ends.
    """

    size: int
    lowest: float
    highest: float
    ascending: bool
    points: Series


def outline(series: Series) -> Outline:
    """The outline of a chunk."""
    if series.step.size == 0:
        return Outline(0, np.inf, -np.inf, True, series)
    steps = series.step
    ascending = bool((steps[1:] > steps[:-1]).all())
    lowest, highest = (steps[0], steps[-1]) if ascending else (steps.min(), steps.max())
    return Outline(steps.size, float(lowest), float(highest), ascending, _compact(_shape(series)))


def _shape(series: Series) -> Series:
    """The ends of a chunk, and minimum and maximum of every 64 rows of a full one."""
    full = series.step.size == ROWS_PER_CHUNK and series.status.strides == (0,)
    if not (full and series.status[0] == STATUSES.index("ok") and np.isfinite(series.value).all()):
        return downsample(series, OUTLINE_POINTS)
    # What `downsample` does for evenly spaced steps, several times as fast.
    rows = series.value.reshape(-1, ROWS_PER_CHUNK * 2 // OUTLINE_POINTS)
    starts = np.arange(0, ROWS_PER_CHUNK, rows.shape[1])
    ends = [0, ROWS_PER_CHUNK - 1]
    chosen = np.concatenate([ends, starts + rows.argmin(1), starts + rows.argmax(1)])
    return series.take(np.unique(chosen))


class Shelf:
    """Values under a key and the edition they are of; the least recently used go first.

    Args:
        most_bytes: of all together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._kept: OrderedDict[Hashable, tuple[int, Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, edition: int) -> Any:
        """What is kept of this edition, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != edition:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, edition: int, value: Any, size_bytes: int) -> None:
        """Keep a value in place of an older one."""
        with self._lock:
            self._bytes += size_bytes - self._kept.pop(key, (0, None, 0))[2]
            self._kept[key] = edition, value, size_bytes
            while self._bytes > self._most_bytes and self._kept:
                self._bytes -= self._kept.popitem(last=False)[1][2]


class Chunks:
    """Chunks of metrics, read from Redis at most once an edition while there is room.

    Args:
        store: both Redis servers.
        kept_bytes, outline_bytes: see the defaults.
    """

    def __init__(
        self, store: Store, kept_bytes: int = KEPT_BYTES, outline_bytes: int = OUTLINE_BYTES
    ) -> None:
        self._store = store
        self._kept, self._outlines = Shelf(kept_bytes), Shelf(outline_bytes)

    def outlines(
        self, place: Place, metrics: Sequence[str], editions: dict[int, int]
    ) -> dict[str, dict[int, Outline]]:
        """Outlines of chunks by metric and number.

        Args:
            place: whose they are.
            metrics: at least one.
            editions: of each chunk that is wanted.
        """
        found: dict[str, dict[int, Outline]] = {metric: {} for metric in metrics}
        missing = []
        for chunk, edition in editions.items():
            for metric in metrics:
                known = self._outlines.get((place, chunk, metric), edition)
                if known is None:
                    missing.append(chunk)
                    break
                found[metric][chunk] = known
        for chunk, by_metric in self._read(place, metrics, missing, editions):
            for metric, series in by_metric.items():
                found[metric][chunk] = made = outline(series)
                size = ENTRY_BYTES + _bytes(made.points, INDEX + VALUES)
                self._outlines.put((place, chunk, metric), editions[chunk], made, size)
        return found

    def series(self, place: Place, metric: str, editions: dict[int, int]) -> dict[int, Series]:
        """All points of chunks of one metric, by number."""
        found = {}
        missing = []
        for chunk, edition in editions.items():
            known = self._kept.get((place, chunk, metric), edition)
            if known is None:
                missing.append(chunk)
            else:
                found[chunk] = known
        for chunk, by_metric in self._read(place, [metric], missing, editions):
            found[chunk] = by_metric[metric]
        return found

    def _read(
        self, place: Place, metrics: Sequence[str], chunks: list[int], editions: dict[int, int]
    ) -> Any:
        """Number and series by metric of chunks that are not kept; keeps them."""
        for part in _stretches(sorted(chunks)):
            span = range(part.start * ROWS_PER_CHUNK, part.stop * ROWS_PER_CHUNK)
            table = read_rows(self._store, place, span, metrics)
            bounds = np.searchsorted(table.seq, np.arange(part.start, part.stop + 1) *
                                     ROWS_PER_CHUNK)  # fmt: skip
            for number, chunk in enumerate(part):
                rows = slice(int(bounds[number]), int(bounds[number + 1]))
                by_metric = _by_metric(table, metrics, rows)
                for metric, series in by_metric.items():
                    # Metrics with a point in every row share the index, and its bytes.
                    sharing = sum(other.step is series.step for other in by_metric.values())
                    size = ENTRY_BYTES + _bytes(series, VALUES) + _bytes(series, INDEX) // sharing
                    self._kept.put((place, chunk, metric), editions[chunk], series, size)
                yield chunk, by_metric


def _stretches(chunks: Sequence[int]) -> list[range]:
    """Ranges of adjacent numbers, none longer than `CHUNKS_PER_READ`."""
    found: list[range] = []
    for chunk in chunks:
        if found and found[-1].stop == chunk and len(found[-1]) < CHUNKS_PER_READ:
            found[-1] = range(found[-1].start, chunk + 1)
        else:
            found.append(range(chunk, chunk + 1))
    return found


def _by_metric(table: RowTable, metrics: Sequence[str], rows: slice) -> dict[str, Series]:
    """The chunk of each metric; metrics that have a point in every row share their steps."""
    index = tuple(_shrunk(column[rows]) for column in (table.step, table.epoch, table.time))
    found = {}
    for metric in metrics:
        about: MetricColumns = table.metrics[metric]
        columns = (about.value, about.stderr, about.n, about.status)
        series = Series(*index, *(column[rows] for column in columns))
        known = about.known[rows]
        found[metric] = _compact(series if known.all() else series.take(known))
    return found


def _compact(series: Series) -> Series:
    """A series whose columns of one and the same number take no memory, and that owns its rest."""
    return Series(*(_shrunk(getattr(series, name)) for name in INDEX + VALUES))


def _shrunk(values: Any) -> Any:
    if values.size and _is_one_number(values):
        return np.broadcast_to(values[0], values.shape)
    # A view would keep all that it is a view of.
    return values if values.base is None else values.copy()


def _is_one_number(values: Any) -> bool:
    first, last = values[0], values[-1]
    if first != first:
        return bool(np.isnan(values).all())
    return bool(first == last and (values == first).all())


def _bytes(series: Series, names: Sequence[str]) -> int:
    columns = (getattr(series, name) for name in names)
    return sum(column.nbytes for column in columns if column.strides != (0,))
