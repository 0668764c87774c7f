"""Packed columns: nothing is lost between arrays and the bytes of strings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.store import columns
from monitor.store.blocks import Cell
from monitor.store.columns import ROWS_PER_CHUNK
from trainer_hooks import keys

PLACE = ("demo", "abc", "weights")


@given(st.lists(st.floats(), max_size=50))
def test_any_float_comes_back_bit_by_bit(values: list[float]) -> None:
    given_values = np.array(values, np.float64)
    words, present = columns.decode_words(columns.encode_words(given_values), len(values))
    assert present.all()
    found = words.view(np.float64)
    assert np.array_equal(found, given_values, equal_nan=True)
    assert np.array_equal(np.signbit(found), np.signbit(given_values) & ~np.isnan(given_values))


@given(st.lists(st.integers(0, 2**53 - 1), max_size=50))
def test_any_step_comes_back(steps: list[int]) -> None:
    words, present = columns.decode_words(
        columns.encode_words(np.array(steps, np.int64)), len(steps)
    )
    assert present.all()
    assert words.view(np.int64).tolist() == steps


def test_missing_is_told_from_zero() -> None:
    data = columns.encode_words(np.array([0.0, -0.0]))
    words, present = columns.decode_words(bytes(8) + data, 4)
    assert present.tolist() == [False, True, True, False]
    assert words[1:3].view(np.float64).tolist() == [0.0, 0.0]


def test_statuses_that_were_never_written_are_ok() -> None:
    data = columns.encode_statuses(["failed", "ok", "insufficient"])
    assert columns.decode_statuses(data, 5).tolist() == [3, 0, 1, 0, 0]
    assert columns.decode_statuses(None, 2).tolist() == [0, 0]


@given(st.sets(st.integers(0, 3 * ROWS_PER_CHUNK), min_size=1, max_size=40))
def test_writes_put_every_row_in_its_place(numbers: set[int]) -> None:
    seq = np.array(sorted(numbers), np.int64)
    strings: dict[str, bytearray] = {}
    for write in columns.writes(PLACE, "step", seq, columns.encode_words(seq)):
        string = strings.setdefault(write.key, bytearray(8 * ROWS_PER_CHUNK))
        assert write.offset + len(write.data) <= len(string)
        string[write.offset : write.offset + len(write.data)] = write.data
    for chunk in range(4):
        string = strings.get(keys.column(*PLACE, chunk, "step"), bytearray())
        words, present = columns.decode_words(bytes(string), ROWS_PER_CHUNK)
        expected = [n for n in sorted(numbers) if n // ROWS_PER_CHUNK == chunk]
        assert words.view(np.int64)[present].tolist() == expected


def test_adjacent_rows_are_one_write() -> None:
    border = ROWS_PER_CHUNK
    seq = np.array([3, 4, 5, 7, border - 1, border, border + 1])
    found = [
        (write.offset // 8, len(write.data) // 8)
        for write in columns.writes(PLACE, "step", seq, columns.encode_words(seq))
    ]
    assert found == [(3, 3), (7, 1), (border - 1, 1), (0, 2)]


def test_columns_exist_only_where_they_say_something() -> None:
    seq = np.arange(3)

    def written(*cells: Cell) -> set[str]:
        found = columns.metric_writes(PLACE, "Q", seq, cells)
        return {keys.decode(write.key.rpartition(":")[2]) for write in found}

    assert written(Cell(0, 0.5), Cell(1, 0.6)) == {"Q|value"}
    assert written(Cell(0, 0.5, 0.1, 64)) == {"Q|value", "Q|stderr", "Q|n"}
    assert written(Cell(0, None, status="failed")) == {"Q|status"}
