"""Curves are those of all rows, whatever was kept from before, and spikes stay."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from monitor.errors import UnknownRunError
from monitor.server import chunks, curves
from monitor.server.chunks import Shelf, outline
from monitor.server.curves import Curves
from monitor.server.downsample import downsample
from monitor.store.blocks import Cell
from monitor.store.columns import ROWS_PER_CHUNK
from monitor.store.connection import Store
from monitor.store.deletion import delete_run
from monitor.store.jobs import JobQueue
from monitor.store.series import Series, read_series
from tests.store.posting import Trainer, finish

KINDS = {"m": "weights", "rare": "weights"}


@pytest.fixture
def trainer(store: Store, queue: JobQueue) -> Trainer:
    return Trainer(store)


def put(
    queue: JobQueue, trainer: Trainer, seq: Sequence[int], steps: Sequence[int], **other: float
) -> None:
    """Rows whose `m` is noise, and every seventh a `rare`; `other` by the step as ``s<step>``."""
    rng = random.Random(seq[0])
    values = [other.get(f"s{step}", rng.gauss(0, 1)) for step in steps]
    cells = {"m": [Cell(i, value, n=1 + i % 2) for i, value in enumerate(values)]}
    cells["rare"] = [
        Cell(i, None if i % 3 else float(i), status="failed" if i % 3 else "ok", reason="why")
        for i in range(0, len(seq), 7)
    ]
    finish(queue, trainer, seq, steps, cells)


def same(found: Series, expected: Series) -> None:
    for name in ("step", "epoch", "time", "value", "stderr", "n", "status"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


def check(made: Curves, store: Store, first: int | None, last: int | None, points: int) -> None:
    expected = read_series(store, "demo", list(KINDS), first, last)
    found = made.read("demo", KINDS, first, last, points)
    assert found.keys() == KINDS.keys()
    for metric, series in found.items():
        same(series, downsample(expected[metric], points))


def test_they_are_what_all_rows_give_after_every_write(
    store: Store, queue: JobQueue, trainer: Trainer
) -> None:
    made = Curves(store)
    size = ROWS_PER_CHUNK // 2
    blocks = [range(i * size, (i + 1) * size) for i in range(5)]
    # Out of order, and the first block once more with a hole filled later.
    for order in (1, 0, 4, 2, 3):
        put(queue, trainer, blocks[order], blocks[order])
        for first, last in ((None, None), (1000, 7000), (9000, None), (50_000, None)):
            check(made, store, first, last, 100)
    # Its own steps go back, and a newer process takes over.
    put(queue, trainer, range(5 * size, 5 * size + 300), range(3000, 3300))
    check(made, store, None, None, 150)
    resumed = Trainer(store, resume=True)
    put(queue, resumed, range(200), range(2900, 3100))
    check(made, store, None, None, 150)
    check(made, store, 2800, 3001, 10_000)


def test_a_new_run_of_the_same_name_is_another(
    store: Store, queue: JobQueue, trainer: Trainer
) -> None:
    made = Curves(store)
    put(queue, trainer, range(50), range(50))
    check(made, store, None, None, 100)
    delete_run(store, "demo")
    with pytest.raises(UnknownRunError):
        made.read("demo", KINDS, None, None, 100)
    put(queue, Trainer(store), range(50), range(100, 150))
    check(made, store, None, None, 100)


def test_of_many_rows_the_outlines_keep_every_spike(
    store: Store, queue: JobQueue, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "ROWS_SHOWN", 2 * ROWS_PER_CHUNK)
    count = 4 * ROWS_PER_CHUNK
    spikes = {"s1": 50.0, "s4096": -40.0, "s9999": 60.0, f"s{count - 2}": -70.0}
    put(queue, trainer, range(count), range(count), **spikes)
    made = Curves(store)
    for points in (10, 100, 2000):
        found = made.read("demo", KINDS, None, None, points)["m"]
        assert found.step.size <= points
        assert (found.step[0], found.step[-1]) == (0, count - 1)
        shown = dict(zip(found.step.tolist(), found.value.tolist(), strict=True))
        assert {shown.get(9999), shown.get(count - 2)} == {60.0, -70.0}
        if points > 10:
            assert (shown[1], shown[4096]) == (50.0, -40.0)
    # Within what is shown from rows, it is exact again.
    check(made, store, 1000, 1000 + ROWS_PER_CHUNK, 200)
    # What is hidden by a step back leaves the outlines as well.
    put(queue, trainer, range(count, count + 100), range(9000, 9100))
    assert 9999 not in made.read("demo", KINDS, None, None, 2000)["m"].step
    hidden = made.read("demo", KINDS, None, None, 2000)["m"]
    assert hidden.step[-1] == 9099


def test_what_is_kept_is_bounded(store: Store, queue: JobQueue, trainer: Trainer) -> None:
    put(queue, trainer, range(3 * ROWS_PER_CHUNK), range(3 * ROWS_PER_CHUNK))
    made = Curves(store, kept_bytes=ROWS_PER_CHUNK * 8)
    for _ in range(2):
        check(made, store, None, None, 100)


def test_the_least_used_goes_first() -> None:
    shelf = Shelf(most_bytes=100)
    shelf.put("a", 1, "A", 40)
    shelf.put("b", 1, "B", 40)
    assert shelf.get("a", 1) == "A"
    shelf.put("c", 1, "C", 40)
    assert (shelf.get("a", 1), shelf.get("b", 1), shelf.get("c", 1)) == ("A", None, "C")
    assert shelf.get("a", 2) is None, "of another edition"
    shelf.put("a", 2, "new", 90)
    assert (shelf.get("a", 2), shelf.get("c", 1)) == ("new", None)
    shelf.put("d", 1, "too large", 101)
    assert shelf.get("d", 1) is None


def test_outlines_know_what_they_stand_for() -> None:
    n = ROWS_PER_CHUNK
    none, flat = np.full(n, np.nan), np.zeros(n)
    value, ok = np.arange(n, dtype=float), np.zeros(n, np.uint8)
    series = Series(np.arange(n), flat, flat, value, none, np.ones(n), ok)
    made = outline(series)
    assert (made.size, made.lowest, made.highest, made.ascending) == (n, 0, n - 1, True)
    assert made.points.step.size <= chunks.OUTLINE_POINTS
    assert made.points.stderr.strides == (0,), "a column of nothing takes no memory"
    back = series.take(np.r_[np.arange(10), 5])
    assert not outline(back).ascending
    assert outline(series.take(np.arange(0))).size == 0
