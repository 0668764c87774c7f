"""Rows as they lie: the packed columns of one segment and kind, decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.store import columns
from monitor.store.columns import ROWS_PER_CHUNK, Place
from monitor.store.connection import Store, reachable

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """One metric at the rows of a table.

    Attributes:
        known: (N,) whether the row has a point of this metric.
        value: (N,) float64, NaN where there is none.
        stderr: (N,) float64, NaN for none; n: (N,) float64; status: (N,) uint8 code in STATUSES.
    """

    known: Mask
    value: NDArray[np.float64]
    stderr: NDArray[np.float64]
    n: NDArray[np.float64]
    status: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class RowTable:
    """The rows that exist in a stretch of one segment and kind.

    Attributes:
        seq: (N,) int64 their numbers, ascending.
        step: (N,) int64; epoch: (N,) float64, NaN for none; time: (N,) float64 Unix seconds.
        metrics: what was asked for.
    """

    seq: NDArray[np.int64]
    step: NDArray[np.int64]
    epoch: NDArray[np.float64]
    time: NDArray[np.float64]
    metrics: dict[str, MetricColumns]


def read_rows(store: Store, place: Place, span: range, metrics: Sequence[str]) -> RowTable:
    """The rows with numbers in `span`; memory goes by what is stored, not by its length."""
    pieces = _pieces(span)
    steps = _fetch(store, place, pieces, [columns.STEP])[columns.STEP]
    pieces = [piece for piece, data in zip(pieces, steps, strict=True) if data]
    step, present = _words([data for data in steps if data], pieces)
    seq = np.concatenate([np.zeros(0, np.int64), *(np.arange(p.start, p.stop) for p in pieces)])
    names = [columns.EPOCH, columns.TIME]
    names += [columns.metric_column(m, name) for m in metrics for name in columns.METRIC_COLUMNS]
    strings = _fetch(store, place, pieces, names)

    def floats(name: str, missing: float) -> tuple[NDArray[np.float64], Mask]:
        words, known = _words(strings[name], pieces)
        return np.where(known, words.view(np.float64), missing)[present], known[present]

    def metric_columns(metric: str) -> MetricColumns:
        value, known = floats(columns.metric_column(metric, columns.VALUE), np.nan)
        stderr, _ = floats(columns.metric_column(metric, columns.STDERR), np.nan)
        n, _ = floats(columns.metric_column(metric, columns.COUNT), 1.0)
        codes = _joined(strings[columns.metric_column(metric, columns.STATUS)], pieces, 1)
        status = columns.decode_statuses(codes, len(seq))[present]
        return MetricColumns(known | (status != 0), value, stderr, n, status)

    return RowTable(
        seq=seq[present],
        step=step[present].view(np.int64),
        epoch=floats(columns.EPOCH, np.nan)[0],
        time=floats(columns.TIME, np.nan)[0],
        metrics={metric: metric_columns(metric) for metric in metrics},
    )


def _pieces(span: range) -> list[range]:
    """`span`, cut where the chunks are."""
    bounds = range(span.start - span.start % ROWS_PER_CHUNK, span.stop, ROWS_PER_CHUNK)
    return [range(max(b, span.start), min(b + ROWS_PER_CHUNK, span.stop)) for b in bounds]


def _fetch(
    store: Store, place: Place, pieces: Sequence[range], names: Sequence[str]
) -> dict[str, list[bytes]]:
    """Bytes of each piece of each column, in one round trip; b"" where nothing was written."""
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        for name in names:
            for piece in pieces:
                chunk, first = divmod(piece.start, ROWS_PER_CHUNK)
                size = columns.item_bytes(name)
                last = (first + len(piece)) * size - 1
                pipe.getrange(columns.key_of(place, chunk, name), first * size, last)
        answers: list[Any] = pipe.execute()
    count = len(pieces)
    return {name: answers[i * count : (i + 1) * count] for i, name in enumerate(names)}


def _words(strings: Sequence[bytes], pieces: Sequence[range]) -> tuple[NDArray[np.uint64], Mask]:
    return columns.decode_words(_joined(strings, pieces, columns.WORD_BYTES), sum(map(len, pieces)))


def _joined(strings: Sequence[bytes], pieces: Sequence[range], item_bytes: int) -> bytes:
    """One after the other, zero where nothing was written."""
    return b"".join(
        data.ljust(len(piece) * item_bytes, b"\0")
        for data, piece in zip(strings, pieces, strict=True)
    )
