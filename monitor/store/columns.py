"""Packed columns: arrays to the bytes of Redis strings and back.

A column is cut into chunks of ROWS_PER_CHUNK rows, one string each. Redis fills what was never
written with zero bytes, so numbers are stored with their bits inverted: a zero word is a missing
value, and 0.0 is not. (The one number that inverts to zero, a NaN of all ones, is never written:
NaN is stored in its canonical form, and steps are not negative.)
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.store.blocks import Cell
from monitor.types import STATUSES
from trainer_hooks import keys

#: Rows of one chunk: 32 KiB a column, a few hundred strings for a million rows.
ROWS_PER_CHUNK = 4096
WORD_BYTES = 8
#: Index columns, shared by all metrics of a kind.
STEP, EPOCH, TIME = "step", "epoch", "time"
INDEX_COLUMNS = (STEP, EPOCH, TIME)
#: Columns of one metric.
VALUE, STDERR, COUNT, STATUS = "value", "stderr", "n", "status"
METRIC_COLUMNS = (VALUE, STDERR, COUNT, STATUS)
_ALL_ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)

#: Run, segment and kind of a table of rows.
Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Write:
    """`data` at byte `offset` of the string `key`."""

    key: str
    offset: int
    data: bytes


def metric_column(metric: str, column: str) -> str:
    """Name of a metric's column."""
    return f"{metric}|{column}"


def item_bytes(column: str) -> int:
    """Bytes of one row of a column."""
    return 1 if column.endswith(f"|{STATUS}") else WORD_BYTES


def key_of(place: Place, chunk: int, name: str) -> str:
    """Key of one chunk of a column."""
    run, segment, kind = place
    return keys.column(run, segment, kind, chunk, name)


def encode_words(values: NDArray[Any]) -> bytes:
    """Bytes of float64 or int64 numbers, little-endian, bits inverted."""
    if values.dtype == np.float64:
        values = np.where(np.isnan(values), np.nan, values)
    words = np.ascontiguousarray(values).view(np.uint64) ^ _ALL_ONES
    return words.astype("<u8").tobytes()


def decode_words(data: bytes | None, rows: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """(rows,) words, to be viewed as float64 or int64, and which of them are present."""
    words = np.zeros(rows, "<u8")
    known = np.frombuffer((data or b"")[: rows * WORD_BYTES], "<u8")
    words[: known.size] = known
    return words ^ _ALL_ONES, words != 0


def encode_statuses(statuses: list[str]) -> bytes:
    """One byte a row; 0 is ``ok``, so that a column that is all ok need not exist."""
    return bytes(STATUSES.index(status) for status in statuses)


def decode_statuses(data: bytes | None, rows: int) -> NDArray[np.uint8]:
    """(rows,) status codes, indices into STATUSES."""
    codes = np.zeros(rows, np.uint8)
    known = np.frombuffer((data or b"")[:rows], np.uint8)
    codes[: known.size] = np.minimum(known, len(STATUSES) - 1)
    return codes


def writes(place: Place, column: str, seq: NDArray[np.int64], data: bytes) -> Iterator[Write]:
    """One write for each stretch of adjacent rows within one chunk.

    Args:
        place: whose rows they are.
        column: name of the column.
        seq: (M,) ascending row numbers.
        data: M items of equal size, in the order of `seq`.
    """
    if seq.size == 0:
        return
    size = len(data) // seq.size
    breaks = (np.diff(seq) != 1) | (np.diff(seq // ROWS_PER_CHUNK) != 0)
    bounds = [0, *(np.flatnonzero(breaks) + 1).tolist(), seq.size]
    for first, last in itertools.pairwise(bounds):
        chunk, row = divmod(int(seq[first]), ROWS_PER_CHUNK)
        part = data[first * size : last * size]
        yield Write(key_of(place, chunk, column), row * size, part)


def metric_writes(
    place: Place, metric: str, seq: NDArray[np.int64], cells: Sequence[Cell]
) -> Iterator[Write]:
    """Writes of one metric's cells: columns exist only where they say something.

    Args:
        place: whose rows they are.
        seq: row number of each of the block's rows.
        cells: the points, in any order.
    """
    ordered = sorted(cells, key=lambda cell: int(seq[cell.row]))

    def column(name: str, kept: list[Cell], data: bytes) -> Iterator[Write]:
        numbers = seq[[cell.row for cell in kept]] if kept else seq[:0]
        return writes(place, metric_column(metric, name), numbers, data)

    valued = [cell for cell in ordered if cell.value is not None]
    yield from column(VALUE, valued, _words([cell.value for cell in valued]))
    judged = [cell for cell in ordered if cell.stderr is not None]
    yield from column(STDERR, judged, _words([cell.stderr for cell in judged]))
    counted = [cell for cell in ordered if cell.n != 1]
    yield from column(COUNT, counted, _words([cell.n for cell in counted]))
    if any(cell.status != "ok" for cell in ordered):
        yield from column(STATUS, ordered, encode_statuses([cell.status for cell in ordered]))


def _words(values: Sequence[float | None]) -> bytes:
    return encode_words(np.array(values, np.float64))
