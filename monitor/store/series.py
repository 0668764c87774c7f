"""Series: what was measured, read back from packed columns."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import UnknownMetricError, UnknownRunError
from monitor.store import columns
from monitor.store.columns import ROWS_PER_CHUNK
from monitor.store.connection import Store, reachable, text
from monitor.types import STATUSES
from trainer_hooks import keys


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one metric, steps strictly ascending.

    Attributes:
        step: (N,) int64.
        epoch: (N,) float64, NaN for none; time: (N,) float64 Unix seconds.
        value: (N,) float64, NaN where it could not be computed.
        stderr: (N,) float64, NaN for none; n: (N,) float64; status: (N,) uint8 code in STATUSES.
    """

    step: NDArray[np.int64]
    epoch: NDArray[np.float64]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    stderr: NDArray[np.float64]
    n: NDArray[np.float64]
    status: NDArray[np.uint8]

    def take(self, chosen: NDArray[Any]) -> "Series":
        """The points chosen by index or mask."""
        return Series(
            self.step[chosen],
            self.epoch[chosen],
            self.time[chosen],
            self.value[chosen],
            self.stderr[chosen],
            self.n[chosen],
            self.status[chosen],
        )

    def as_json(self) -> dict[str, list[Any]]:
        """Columns of plain numbers; null for what is missing."""
        return {
            "step": self.step.tolist(),
            "epoch": _nullable(self.epoch),
            "time": self.time.tolist(),
            "value": _nullable(self.value),
            "stderr": _nullable(self.stderr),
            "n": self.n.astype(np.int64).tolist(),
            "status": [STATUSES[code] for code in self.status.tolist()],
        }


@dataclass(frozen=True, slots=True)
class Segment:
    """One trainer process of a run and how much of it is stored."""

    id: str
    ordinal: int
    first_row: int
    rows: dict[str, int]
    first_step: int | None
    last_step: int | None
    started: float

    def first_row_of(self, kind: str) -> int:
        """Where its rows begin: later than 0 if Redis lost the first of them."""
        return self.first_row if kind == "weights" else 0


def segments_of(store: Store, run: str) -> list[Segment]:
    """The run's segments in the order they began.

    Raises:
        UnknownRunError: there is no such run.
    """
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        pipe.hgetall(keys.segments(run))
        pipe.hgetall(keys.rows(run))
        known, stored = pipe.execute()
    if not known:
        raise UnknownRunError(f"no run is called {run!r}")
    counts = {text(name): text(value) for name, value in stored.items()}
    found = [segment_from(text(name), json.loads(about), counts) for name, about in known.items()]
    return sorted(found, key=lambda segment: segment.ordinal)


def metrics_of(store: Store, run: str) -> dict[str, dict[str, Any]]:
    """Latest point of each metric, with the kind of push it belongs to."""
    with reachable(store.redis_url):
        stored: Any = store.data.hgetall(keys.metrics(run))
    return {text(name): json.loads(text(value).split("|", 1)[1]) for name, value in stored.items()}


def read_series(
    store: Store, run: str, metrics: Sequence[str], first: int | None, last: int | None
) -> dict[str, Series]:
    """All points of `metrics` with first ≤ step ≤ last (None: no bound).

    Raises:
        UnknownRunError, UnknownMetricError: named in the message.
    """
    segments = segments_of(store, run)
    known = metrics_of(store, run)
    for metric in metrics:
        if metric not in known:
            raise UnknownMetricError(f"run {run!r} has no metric {metric!r}")
    return {
        metric: _read_metric(store, run, segments, metric, known[metric]["kind"], first, last)
        for metric in metrics
    }


def read_rows(
    store: Store, run: str, segment: str, kind: str, span: range, metrics: Sequence[str]
) -> tuple[NDArray[np.bool_], Series, dict[str, Series]]:
    """Rows `span` of one segment as they lie: which exist, their index, each metric's points.

    For the watch, which reads in the order of rows. Values that are missing are NaN with status
    ``ok``; a row that is not there yet is False in the first result.
    """
    present, index = _read_index(store, run, segment, kind, span)
    series = {
        metric: _with_values(store, run, segment, kind, span, metric, index)[1]
        for metric in metrics
    }
    return present, index, series


def _read_metric(
    store: Store,
    run: str,
    segments: Sequence[Segment],
    metric: str,
    kind: str,
    first: int | None,
    last: int | None,
) -> Series:
    parts = []
    hidden_from = np.inf
    for segment in reversed(segments):
        span = range(segment.first_row_of(kind), segment.rows.get(kind, 0))
        if len(span):
            present, index = _read_index(store, run, segment.id, kind, span)
            known, series = _with_values(store, run, segment.id, kind, span, metric, index)
            keep = present & known & (index.step < hidden_from)
            parts.append(series.take(keep))
        if segment.first_step is not None:
            hidden_from = min(hidden_from, segment.first_step)
    series = _newest_of_each_step(_joined(parts[::-1]))
    inside = np.ones(series.step.size, np.bool_)
    inside &= True if first is None else series.step >= first
    inside &= True if last is None else series.step <= last
    return series.take(inside)


def _newest_of_each_step(series: Series) -> Series:
    """A row is hidden by every later one with the same or a lower step: resumes overwrite."""
    later = np.minimum.accumulate(series.step[::-1])[::-1]
    keep = np.ones(series.step.size, np.bool_)
    keep[:-1] = series.step[:-1] < later[1:]
    return series if keep.all() else series.take(keep)


def _read_index(
    store: Store, run: str, segment: str, kind: str, span: range
) -> tuple[NDArray[np.bool_], Series]:
    names = columns.INDEX_COLUMNS
    (step, present), (epoch, _), (time, _) = (
        _words(store, run, segment, kind, span, name) for name in names
    )
    none = np.full(len(span), np.nan)
    ones, zeros = np.ones(len(span)), np.zeros(len(span), np.uint8)
    index = Series(
        step.view(np.int64),
        epoch.view(np.float64),
        time.view(np.float64),
        none,
        none,
        ones,
        zeros,
    )
    return present, index


def _with_values(
    store: Store, run: str, segment: str, kind: str, span: range, metric: str, index: Series
) -> tuple[NDArray[np.bool_], Series]:
    def read(column: str, missing: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        name = columns.metric_column(metric, column)
        words, present = _words(store, run, segment, kind, span, name)
        return np.where(present, words.view(np.float64), missing), present

    value, valued = read(columns.VALUE, np.nan)
    stderr, _ = read(columns.STDERR, np.nan)
    n, _ = read(columns.COUNT, 1.0)
    name = columns.metric_column(metric, columns.STATUS)
    status = columns.decode_statuses(_bytes(store, run, segment, kind, span, name, 1), len(span))
    series = Series(index.step, index.epoch, index.time, value, stderr, n, status)
    return valued | (status != 0), series


def _words(
    store: Store, run: str, segment: str, kind: str, span: range, name: str
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    data = _bytes(store, run, segment, kind, span, name, columns.WORD_BYTES)
    return columns.decode_words(data, len(span))


def _bytes(
    store: Store, run: str, segment: str, kind: str, span: range, name: str, item_bytes: int
) -> bytes:
    """Bytes of the rows in `span`, zero where nothing was written."""
    chunks = range(span.start // ROWS_PER_CHUNK, (span.stop - 1) // ROWS_PER_CHUNK + 1)
    names = [keys.column(run, segment, kind, chunk, name) for chunk in chunks]
    size = ROWS_PER_CHUNK * item_bytes
    with reachable(store.redis_url):
        stored: Any = store.data.mget(names)
    joined = b"".join((data or b"").ljust(size, b"\0") for data in stored)
    start = (span.start - chunks.start * ROWS_PER_CHUNK) * item_bytes
    return joined[start : start + len(span) * item_bytes]


def _joined(parts: Sequence[Series]) -> Series:
    if len(parts) == 1:
        return parts[0]
    none = np.zeros(0)
    empty = Series(none.astype(np.int64), none, none, none, none, none, none.astype(np.uint8))
    parts = parts or [empty]
    names = ("step", "epoch", "time", "value", "stderr", "n", "status")
    return Series(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def segment_from(name: str, about: dict[str, Any], counts: dict[str, str]) -> Segment:
    """A segment from its description and the run's row counts, as they lie in Redis."""

    def number(field: str) -> int | None:
        value = counts.get(f"{name}:{field}")
        return None if value is None else int(float(value))

    return Segment(
        id=name,
        ordinal=int(about["ordinal"]),
        first_row=int(about.get("first_row", 0)),
        rows={"weights": number("weights") or 0, "samples": number("samples") or 0},
        first_step=number("first_step"),
        last_step=number("last_step"),
        started=float(about["started"]),
    )


def _nullable(values: NDArray[np.float64]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
