"""A worker that falls behind is told of once, and once that it has caught up."""

from typing import Any

import pytest

from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.jobs import JobQueue
from monitor.store.runs import read_run
from monitor.watch.lateness import BEHIND_S, CALM_S, MOST_SEEN
from monitor.watch.loop import Watch
from monitor.watch.shard_watch import SWEEP_S
from tests.store.posting import Trainer, block_of, claimed, finish
from tests.watch.test_watch import Clock, lose_lease, swept
from trainer_hooks import keys


@pytest.fixture
def clock() -> Clock:
    """The clock of all watches of a test."""
    return Clock()


def behind(store: Store) -> list[dict[str, Any]]:
    return [a for a in read_run(store, "demo").alerts if a["kind"] == "worker_behind"]


def passed(watch: Watch, clock: Clock, seconds: float) -> None:
    for _ in range(round(seconds / SWEEP_S)):
        swept(watch, clock)


def done(queue: JobQueue, row: int) -> None:
    """The worker finishes the next job, which is that of this row."""
    job = claimed(queue)
    block = block_of(job, [row])
    block.add("loss", Cell(0, 0.0))
    assert queue.finish(job, block)


def test_worker_that_stands_still_and_comes_back(
    store: Store, queue: JobQueue, clock: Clock
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    finish(queue, trainer, [0], [0], {})
    swept(watch, clock)
    trainer.scalars([0.0], first=1)
    passed(watch, clock, BEHIND_S - SWEEP_S)
    assert behind(store) == []
    passed(watch, clock, 2 * SWEEP_S)
    (found,) = behind(store)
    assert (found["severity"], found["step"], found["resolved"]) == ("warning", 1, None)
    assert found["message"] == (
        "Worker behind: weights pushed 3 min ago are not evaluated (no worker is alive)."
    )
    trainer.scalars([0.0], first=2)
    passed(watch, clock, 2 * BEHIND_S)
    assert len(behind(store)) == 1
    done(queue, 1)
    done(queue, 2)
    passed(watch, clock, CALM_S - SWEEP_S)
    assert behind(store)[0]["resolved"] is None
    passed(watch, clock, 2 * SWEEP_S)
    assert behind(store)[0]["resolved"] is not None
    # And again, some day.
    trainer.scalars([0.0], first=3)
    passed(watch, clock, BEHIND_S + 2 * SWEEP_S)
    assert [alert["resolved"] is None for alert in behind(store)] == [False, True]


def test_worker_that_keeps_up_is_never_behind(store: Store, queue: JobQueue, clock: Clock) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    for row in range(100):
        trainer.scalars([0.0], first=row)
        if row:
            done(queue, row - 1)
        swept(watch, clock)
    assert behind(store) == []


def test_heir_neither_repeats_nor_ends_it(store: Store, queue: JobQueue, clock: Clock) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    trainer.scalars([0.0])
    passed(watch, clock, BEHIND_S + 2 * SWEEP_S)
    assert len(behind(store)) == 1
    for _ in range(2):
        lose_lease(store)
        watch = Watch(store, clock=clock)
        passed(watch, clock, 2 * BEHIND_S)
    assert [alert["resolved"] for alert in behind(store)] == [None]
    done(queue, 0)
    lose_lease(store)
    watch = Watch(store, clock=clock)
    passed(watch, clock, CALM_S + 2 * SWEEP_S)
    assert behind(store)[0]["resolved"] is not None


def test_push_that_no_worker_can_finish_is_none_of_its_faults(
    store: Store, queue: JobQueue, clock: Clock
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    trainer.scalars([0.0])
    store.data.xtrim(keys.jobs(0, "fast"), maxlen=0)
    passed(watch, clock, 2 * BEHIND_S)
    assert behind(store) == []


def test_outage_of_redis_is_not_the_workers_fault(
    store: Store, queue: JobQueue, clock: Clock
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    trainer.scalars([0.0])
    passed(watch, clock, BEHIND_S - 4 * SWEEP_S)
    clock.now_s += 600
    passed(watch, clock, BEHIND_S - 4 * SWEEP_S)
    assert behind(store) == []


@pytest.mark.parametrize("watched", [True, False])
def test_training_that_ends_ends_it(
    store: Store, queue: JobQueue, clock: Clock, watched: bool
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    trainer.scalars([0.0])
    passed(watch, clock, BEHIND_S + 2 * SWEEP_S)
    assert behind(store)[0]["resolved"] is None
    trainer.beat(finished=True)
    if not watched:
        # It ended while no watch looked.
        lose_lease(store)
        watch = Watch(store, clock=clock)
    swept(watch, clock)
    assert behind(store)[0]["resolved"] is not None


def test_memory_is_bounded(store: Store, queue: JobQueue, clock: Clock) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    for row in range(3 * MOST_SEEN):
        trainer.scalars([0.0], first=row)
        swept(watch, clock)
    (shard,) = watch._shards
    seen = shard._lateness._runs["demo"].seen["weights"]
    assert len(seen) <= MOST_SEEN
    assert seen[0][1] == 1
    assert len(behind(store)) == 1
