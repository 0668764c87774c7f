"""Counters: what is stored counts once; histograms are bounded; nothing that fails disturbs."""

from typing import Any

import numpy as np
import pytest

from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.counters import (
    EVALUATION,
    LONGEST_S,
    PUSH_TO_POINT,
    Histogram,
    count,
    fields_of,
    read_counters,
)
from monitor.store.jobs import JobQueue
from monitor.store.series import read_series
from tests.store.posting import Trainer, block_of, claimed, finish
from trainer_hooks import keys

SHORT = Histogram("short", (1.0, 10.0))


def test_buckets_are_up_to_and_with_their_bound() -> None:
    seconds = np.array([-5.0, 0.0, 1.0, 1.5, 10.0, 11.0, 1e300])
    told = SHORT.counted("x", seconds)
    assert told == {
        "short:x:1": 3, "short:x:10": 2, "short:x:inf": 2,
        "short:x:sum_us": round((1 + 1.5 + 10 + 11 + LONGEST_S) * 1e6),
    }  # fmt: skip
    assert SHORT.read(told, "x") == ([3, 2, 2], told["short:x:sum_us"] / 1e6)
    assert SHORT.read(told, "y") == ([0, 0, 0], 0.0)


def test_buckets_of_another_version_fall_into_the_next() -> None:
    told = {"short:x:0.5": 1, "short:x:7": 2, "short:x:50": 4, "short:x:nonsense": 8}
    assert SHORT.read(told, "x")[0] == [1, 2, 12]


@pytest.mark.parametrize("known", [PUSH_TO_POINT, EVALUATION])
def test_every_bound_is_read_as_it_was_written(known: Histogram) -> None:
    seconds = np.array([*known.bounds_s, known.bounds_s[-1] + 1])
    assert known.read(known.counted("x", seconds), "x")[0] == [1] * len(seconds)
    assert list(known.bounds_s) == sorted(known.bounds_s)


def test_counts_of_what_is_stored(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    failed = Cell(1, None, status="failed", reason="chosen")
    cells = {
        "S.G": [Cell(0, 0.1), failed], "S.G/conv": [Cell(0, 0.1)], "loss.G": [Cell(0, 1.0)],
    }  # fmt: skip
    finish(queue, trainer, range(2), range(2), cells)
    finish(queue, trainer, [0], [0], {"Q": [Cell(0, 0.5)], "D.kid": [Cell(0, 1.0)]}, kind="samples")
    found = read_counters(store)
    waited = PUSH_TO_POINT.read(found, "weights")
    assert (sum(waited[0]), waited[1] > 0) == (2, True)
    assert {name: n for name, n in found.items() if not name.startswith("push_to_point")} == {
        "pushes:weights": 2, "pushes:samples": 1,
        "points:S:ok": 2, "points:S:failed": 1, "points:scalar:ok": 1,
        "points:Q:ok": 1, "points:D:ok": 1,
    }  # fmt: skip


def test_rows_out_of_order_and_a_second_process_count_each_push_once(
    store: Store, queue: JobQueue
) -> None:
    trainer = Trainer(store)
    for rows in ([2, 3], [0, 1], [4]):
        finish(queue, trainer, rows, rows, {"loss": [Cell(0, 1.0)]})
    heir = Trainer(store, resume=True)
    finish(queue, heir, [0, 1], [4, 5], {"loss": [Cell(0, 1.0)]})
    assert read_counters(store)["pushes:weights"] == 7


def test_lost_claim_counts_nothing(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    trainer.scalars([1.0])
    job = claimed(queue)
    store.data.xclaim(keys.jobs(0, "fast"), keys.GROUP, "two", 0, [job.id])
    block = block_of(job, [0])
    block.add("loss", Cell(0, 1.0))
    assert not queue.finish(job, block)
    assert read_counters(store) == {}


def test_skipped_batch_is_a_push_without_a_wait(store: Store, queue: JobQueue) -> None:
    finish(queue, Trainer(store), [0], [0], {}, kind="samples")
    assert read_counters(store) == {"pushes:samples": 1}


def test_dead_letters_are_counted(store: Store, queue: JobQueue) -> None:
    Trainer(store).scalars([1.0])
    job = claimed(queue)
    queue.finish(job, block_of(job, [0]), dead="hostile")
    assert read_counters(store)["dead_letters:weights"] == 1


def test_counting_never_keeps_points_from_being_stored(store: Store, queue: JobQueue) -> None:
    strange: Any = {"points:scalar:ok": "strange", "pushes:weights": 2**63 - 1}
    store.data.hset(keys.counters(0), mapping=strange)
    finish(queue, Trainer(store), [0], [0], {"loss": [Cell(0, 0.5)]})
    assert read_series(store, "demo", ["loss"], None, None)["loss"].value.tolist() == [0.5]
    # What is no sensible number is left out, the rest is told.
    assert set(fields_of(read_counters(store), "push_to_point", 2)) > {("weights", "sum_us")}
    assert "points:scalar:ok" not in read_counters(store)
    store.data.delete(keys.counters(0))
    store.data.set(keys.counters(0), "not even a hash")
    finish(queue, Trainer(store, "other"), [0], [0], {"loss": [Cell(0, 0.5)]})
    assert read_series(store, "other", ["loss"], None, None)["loss"].value.tolist() == [0.5]


def test_counts_add_up(store: Store) -> None:
    count(store, {"a:b": 2})
    count(store, {"a:b": 3, "a": 1, "ab:c": 7, "a:b:c": 9})
    assert fields_of(read_counters(store), "a", 1) == {("b",): 5}
