"""Batches are collected to the wanted size, in chunks, and never beyond the byte budget."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_hooks.batches import Batch
from trainer_hooks.collector import CHUNK_SAMPLES, BatchCollector
from trainer_hooks.errors import SamplesError
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.pushes import Moment, SamplesPush, WeightsPush

MIB = 2**20


def moment(step: int = 1) -> Moment:
    return Moment(step, None, 1.0)


def images(n: int, side: int = 2, value: int = 0) -> Batch:
    return Batch(np.full((n, 1, side, side), value, np.uint8), (-1, 1))


def pushes(queue: PushQueue) -> list[SamplesPush]:
    found = []
    while (push := queue.take_samples()) is not None:
        found.append(push)
    return found


@pytest.fixture
def queue() -> PushQueue:
    return PushQueue(8 * MIB)


@given(st.integers(1, 700), st.lists(st.integers(1, 300), max_size=12))
def test_batch_is_complete_or_goes_out_smaller(samples: int, sizes: list[int]) -> None:
    queue = PushQueue(8 * MIB)
    collector = BatchCollector(queue, samples)
    collector.begin(moment())
    for size in sizes:
        if collector.open:
            more = collector.add(images(size))
            assert bool(more) == collector.open
    collector.end()
    sent = pushes(queue)
    counts = [push.chunk.samples if push.chunk else 0 for push in sent]
    assert sum(counts) == min(samples, sum(sizes))
    assert max(counts) < CHUNK_SAMPLES + 64
    assert [push.last for push in sent] == [False] * (len(sent) - 1) + [True]
    assert queue.used_bytes == 0


def test_small_batches_accumulate_in_order(queue: PushQueue) -> None:
    collector = BatchCollector(queue, 10)
    collector.begin(moment())
    for value in range(4):
        collector.add(images(3, value=value))
    (push,) = pushes(queue)
    assert push.chunk is not None
    assert push.chunk.array()[:, 0, 0, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert not collector.open
    assert collector.batches == 1


def test_only_what_is_kept_is_counted_as_clipped(queue: PushQueue) -> None:
    collector = BatchCollector(queue, 4)
    collector.begin(moment())
    collector.add(Batch(np.full((100, 1, 2, 2), 9.0), (-1, 1)))
    (push,) = pushes(queue)
    assert push.chunk is not None
    assert push.chunk.bad_values() == (0, 16)


def test_incomplete_batch_goes_out_when_the_next_begins(queue: PushQueue) -> None:
    collector = BatchCollector(queue, 100)
    collector.begin(moment(1))
    collector.add(images(30))
    collector.begin(moment(2))
    collector.add(images(40))
    collector.end()
    sent = pushes(queue)
    told = [(p.moment.step, p.batch, p.last, p.chunk.samples if p.chunk else 0) for p in sent]
    assert told == [(1, 0, True, 30), (2, 1, True, 40)]


def test_failure_is_told_with_what_came_before(queue: PushQueue) -> None:
    collector = BatchCollector(queue, 100)
    collector.begin(moment())
    collector.add(images(30))
    collector.end(failure="it raised")
    collector.end(failure="nothing is open")
    (push,) = pushes(queue)
    assert (push.failure, push.last) == ("it raised", True)


@pytest.mark.parametrize(
    "other",
    [np.zeros((3, 3, 2, 2), np.uint8), np.zeros((3, 1, 4, 4)), np.zeros((3, 4), np.float32)],
)
def test_samples_of_one_batch_are_alike(queue: PushQueue, other: Any) -> None:
    collector = BatchCollector(queue, 1000)
    collector.begin(moment())
    collector.add(images(CHUNK_SAMPLES))
    with pytest.raises(SamplesError, match="samples of one batch differ"):
        collector.add(Batch(other, (-1, 1)))
    collector.begin(moment(2))
    collector.add(Batch(other, (-1, 1)))


def test_chunks_of_large_images_stay_small() -> None:
    queue = PushQueue(64 * MIB)
    collector = BatchCollector(queue, 20)
    collector.begin(moment())
    collector.add(images(20, side=1024))
    sizes = [push.chunk.nbytes if push.chunk else 0 for push in pushes(queue)]
    assert sum(sizes) == 20 * MIB
    assert max(sizes) <= 8 * MIB


def test_image_that_no_chunk_holds_is_refused(queue: PushQueue) -> None:
    collector = BatchCollector(queue, 2)
    collector.begin(moment())
    with pytest.raises(SamplesError, match="one sample takes 4194304 bytes"):
        collector.add(images(2, side=2048))


def test_old_pushes_make_room_but_not_the_batchs_own_first_part() -> None:
    queue = PushQueue(8 * MIB)
    for step in range(20):
        queue.put(WeightsPush(moment(step), scalars={f"loss.{i}": 0.0 for i in range(5000)}))
    collector = BatchCollector(queue, 40)
    collector.begin(moment())
    collector.add(images(40, side=512))
    assert queue.used_bytes <= 8 * MIB
    assert not collector.open
    sent = pushes(queue)
    kept = sum(push.chunk.samples for push in sent if push.chunk)
    assert queue.dropped() == {"budget.weights": 20, "budget.samples": 40 - kept}
    assert 20 < kept < 40
    assert [push.last for push in sent].count(True) == 1


def test_what_is_collected_counts_against_the_budget(queue: PushQueue) -> None:
    collector = BatchCollector(queue, 1000)
    collector.begin(moment())
    collector.add(images(10, side=256))
    assert queue.used_bytes == 10 * 2**16
    collector.end()
    assert queue.used_bytes > 10 * 2**16
    pushes(queue)
    assert queue.used_bytes == 0
