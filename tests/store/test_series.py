"""Series over a real Redis: order-free, idempotent, resumable, exact."""

import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import UnknownMetricError, UnknownRunError
from monitor.store.blocks import MOST_ROWS, Cell
from monitor.store.columns import ROWS_PER_CHUNK
from monitor.store.connection import Store
from monitor.store.jobs import JobQueue
from monitor.store.rows import read_rows
from monitor.store.series import Series, read_series
from monitor.types import STATUSES
from tests.reference.series import Stored, visible
from tests.store.posting import START_S, Trainer, finish

SPECIALS = (0.0, -0.0, 1.5, -1e-300, 5e-324, 1.7976931348623157e308)
#: Names for the runs of one test, of which hypothesis makes many.
NUMBERS = itertools.count()


def points_of(series: Series) -> list[tuple[int, Cell]]:
    """Steps and cells, as they were given."""
    found = []
    for i, step in enumerate(series.step.tolist()):
        value, stderr = series.value[i].item(), series.stderr[i].item()
        cell = Cell(
            0,
            None if math.isnan(value) else value,
            None if math.isnan(stderr) else stderr,
            int(series.n[i]),
            STATUSES[series.status[i]],
        )
        found.append((step, cell))
    return found


def read(store: Store, run: str, metric: str = "m") -> list[tuple[int, Cell]]:
    return points_of(read_series(store, run, [metric], None, None)[metric])


def plain(queue: JobQueue, trainer: Trainer, seq: Sequence[int], steps: Sequence[int]) -> None:
    """Rows whose value is their number."""
    cells = [Cell(i, float(number)) for i, number in enumerate(seq)]
    finish(queue, trainer, seq, steps, {"m": cells})


cells = st.one_of(
    st.builds(
        Cell,
        st.just(0),
        st.one_of(st.sampled_from(SPECIALS), st.floats(allow_nan=False, allow_infinity=False)),
        st.one_of(st.none(), st.floats(0, 10)),
        st.integers(0, 5000),
        st.sampled_from(["ok", "insufficient"]),
    ),
    st.builds(Cell, st.just(0), st.none(), st.none(), st.integers(0, 9), st.just("failed")),
)
#: Of each segment: its rows, as (gap before the row, step, cell or nothing).
segments = st.lists(
    st.lists(
        st.tuples(st.sampled_from([1, 1, 1, 2, 3000]), st.integers(0, 40), st.none() | cells),
        min_size=1,
        max_size=12,
    ),
    min_size=1,
    max_size=3,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(segments, st.randoms(use_true_random=False))
def test_what_is_read_is_what_the_contract_says(
    store: Store,
    queue: JobQueue,
    given_segments: list[list[tuple[int, int, Cell | None]]],
    order: random.Random,
) -> None:
    run = f"run {next(NUMBERS)}"
    stored: list[Stored] = []
    work = []
    for number, rows in enumerate(given_segments):
        trainer = Trainer(store, run, resume=True)
        seq = list(itertools.accumulate((gap for gap, _, _ in rows), initial=-1))[1:]
        for row, (_, step, cell) in zip(seq, rows, strict=True):
            work.append((trainer, row, step, cell))
            if cell is not None:
                stored.append(Stored(number, row, step, cell))
    order.shuffle(work)
    # Some twice: a worker may die after it has stored, before it says so.
    for trainer, row, step, cell in [*work, *order.sample(work, len(work) // 2)]:
        finish(queue, trainer, [row], [step], {"m": [] if cell is None else [cell]})
    first_steps = {
        number: min(step for _, step, _ in rows) for number, rows in enumerate(given_segments)
    }
    if stored:
        assert read(store, run) == visible(stored, first_steps)
    else:
        with pytest.raises(UnknownMetricError, match="'m'"):
            read(store, run)


def test_block_over_a_chunk_border(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    seq = range(ROWS_PER_CHUNK - 3, ROWS_PER_CHUNK + 3)
    plain(queue, trainer, seq, seq)
    assert [(step, cell.value) for step, cell in read(store, "demo")] == [(n, n) for n in seq]


def test_row_far_out_costs_nothing_to_read(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    plain(queue, trainer, [0, MOST_ROWS - 1], [1, 2])
    assert [step for step, _ in read(store, "demo")] == [1, 2]


def test_index_and_bounds(store: Store, queue: JobQueue) -> None:
    plain(queue, Trainer(store), range(10), range(0, 100, 10))
    series = read_series(store, "demo", ["m"], 20, 50)["m"]
    assert series.step.tolist() == [20, 30, 40, 50]
    assert series.epoch.tolist() == [2, 3, 4, 5]
    assert series.time.tolist() == [START_S + step for step in (20, 30, 40, 50)]
    assert series.as_json()["stderr"] == [None] * 4


def test_newer_segment_hides_older_rows_from_its_first_step(store: Store, queue: JobQueue) -> None:
    plain(queue, Trainer(store), range(10), range(0, 100, 10))
    plain(queue, Trainer(store, resume=True), [0, 1], [45, 46])
    assert [step for step, _ in read(store, "demo")] == [0, 10, 20, 30, 40, 45, 46]


def test_newer_segment_hides_samples_as_well(store: Store, queue: JobQueue) -> None:
    old = Trainer(store)
    plain(queue, old, range(3), [10, 20, 30])
    finish(queue, old, [3], [30], {"other": [Cell(0, 1.0)]})
    plain(queue, Trainer(store, resume=True), [0], [20])
    assert read(store, "demo", "other") == []


def test_epoch_that_is_none_and_values_that_are_not_finite(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    finish(queue, trainer, range(3), range(3), {"m": [Cell(0, math.nan), Cell(1, -math.inf)]})
    series = read_series(store, "demo", ["m"], None, None)["m"]
    assert series.step.tolist() == [0, 1]
    assert math.isnan(series.value[0])
    assert series.value[1] == -math.inf
    assert series.as_json()["value"] == [None, None]


def test_unknown_names_are_named(store: Store, queue: JobQueue) -> None:
    with pytest.raises(UnknownRunError, match="'nobody'"):
        read_series(store, "nobody", ["Q"], None, None)
    plain(queue, Trainer(store), [0], [0])
    with pytest.raises(UnknownMetricError, match="'Q'"):
        read_series(store, "demo", ["m", "Q"], None, None)


def test_stretch_of_rows(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    border = ROWS_PER_CHUNK
    plain(queue, trainer, [1, 2, border - 1, border, border + 5], [7, 8, 9, 10, 11])
    place = ("demo", trainer.segment, "weights")
    table = read_rows(store, place, range(2, border + 1), ["m", "absent"])
    assert table.seq.tolist() == [2, border - 1, border]
    assert table.step.tolist() == [8, 9, 10]
    assert table.metrics["m"].value.tolist() == [2, border - 1, border]
    assert not table.metrics["absent"].known.any()
    assert read_rows(store, place, range(3, 3), ["m"]).seq.size == 0
    assert np.isnan(table.metrics["absent"].value).all()
