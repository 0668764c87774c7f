"""The queue between the threads: bounded by bytes, oldest dropped first, every drop counted."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer_hooks.device import Device
from trainer_hooks.batches import Batch
from trainer_hooks.landing import Landing
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.pushes import PUSH_OVERHEAD_BYTES, Moment, SamplesPush, WeightsPush
from trainer_hooks.snapshot import Layout, Snapshot

KIB = 1024


def weights(step: int, kib: int = 1) -> WeightsPush:
    values = np.zeros(kib * 256, np.float32)
    layout = Layout("full", 0, (("w", values.size, values.size),))
    return WeightsPush(moment(step), {"G": Snapshot(layout, Landing(values))}, {"G": step})


def samples(step: int, kib: int = 1) -> SamplesPush:
    images = Batch(np.zeros((kib, 1, 32, 32), np.uint8), (-1, 1))
    return SamplesPush(moment(step), step, images.slice(0, kib))


def moment(step: int) -> Moment:
    return Moment(step, None, 1.0)


def drained(queue: PushQueue) -> list[int]:
    """Steps of everything that waits, weights first."""
    steps = [push.moment.step for push in queue.take_weights(10**6, 10**12)[0]]
    while (push := queue.take_samples()) is not None:
        steps.append(push.moment.step)
    return steps


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=60))
def test_newest_that_fit_are_kept_in_order(sizes: list[tuple[bool, int]]) -> None:
    budget = 64 * KIB
    queue = PushQueue(budget)
    kept: list[tuple[int, int]] = []
    for step, (is_weights, kib) in enumerate(sizes):
        push = weights(step, kib) if is_weights else samples(step, kib)
        queue.put(push)
        kept.append((step, push.nbytes))
        while sum(nbytes for _, nbytes in kept) > budget:
            kept.pop(0)
        assert queue.used_bytes == sum(nbytes for _, nbytes in kept) <= budget
    lost = set(range(len(sizes))) - {step for step, _ in kept}
    counts = queue.dropped()
    assert counts.get("budget.weights", 0) == sum(sizes[step][0] for step in lost)
    lost_samples = sum(sizes[step][1] for step in lost if not sizes[step][0])
    assert counts.get("budget.samples", 0) == lost_samples
    assert sorted(drained(queue)) == [step for step, _ in kept]
    assert queue.used_bytes == 0


def test_push_beyond_the_budget_is_dropped_and_counted() -> None:
    queue = PushQueue(4 * KIB)
    queue.put(weights(1, 5))
    assert queue.empty()
    assert queue.dropped() == {"budget.weights": 1}


def test_what_others_hold_pushes_out_the_oldest() -> None:
    queue = PushQueue(8 * KIB)
    for step in range(4):
        queue.put(weights(step))
    queue.hold("sender", 4 * KIB)
    assert queue.used_bytes <= 8 * KIB
    assert drained(queue) == [2, 3]
    queue.hold("sender", 0)
    assert queue.used_bytes == 0


def test_take_respects_rows_and_bytes_but_takes_one_at_least() -> None:
    queue = PushQueue(10**6)
    for step in range(6):
        queue.put(weights(step, 4))
    taken = queue.take_weights(2, 10**6), queue.take_weights(9, 9 * KIB), queue.take_weights(9, 1)
    assert [[push.moment.step for push in some] for some, _ in taken] == [[0, 1], [2, 3], [4]]
    assert [more for _, more in (*taken, queue.take_weights(9, 1))] == [True, True, True, False]
    queue.put(weights(9, 4))
    assert queue.used_bytes == PUSH_OVERHEAD_BYTES + 4 * KIB


def test_room_is_made_for_a_batch_from_what_is_older() -> None:
    queue = PushQueue(8 * KIB)
    queue.put(weights(1, 2))
    queue.put(samples(7, 2))
    queue.put(weights(2, 2))
    assert queue.make_room(3 * KIB, batch=7)
    assert queue.dropped() == {"budget.weights": 1}
    assert not queue.make_room(6 * KIB, batch=7)
    assert queue.make_room(6 * KIB, batch=8)
    assert queue.dropped() == {"budget.weights": 2, "budget.samples": 2}
    assert not queue.make_room(9 * KIB, batch=8)


def test_clearing_counts_by_its_reason() -> None:
    queue = PushQueue(10**6)
    queue.put(weights(1))
    queue.put(samples(1, 3))
    queue.put(SamplesPush(moment(1), 1, None, last=True))
    queue.clear("flush")
    assert queue.dropped() == {"flush.weights": 1, "flush.samples": 3}
    assert queue.empty()
    assert queue.used_bytes == 0


def test_counting_nothing_leaves_no_reason() -> None:
    queue = PushQueue(1)
    queue.count_dropped("defect", 0)
    assert queue.dropped() == {}


def test_putting_never_fetches_from_a_device_and_settling_does_once() -> None:
    queue = PushQueue(10**6)
    weights, loss = Device([1, 2]), Device(0.5)
    networks = {"G": Snapshot(Layout("full", 0, (("w", 2, 2),)), Landing(weights))}
    push = WeightsPush(moment(1), networks, {"G": 1}, {"loss": Landing(loss), "lr": 0.1})
    queue.put(push)
    assert (weights.fetched, loss.fetched) == (0, 0)
    queue.settle()
    queue.settle()
    assert push.scalars == {"loss": 0.5, "lr": 0.1}
    assert networks["G"].values.array().tolist() == [1, 2]
    assert (weights.fetched, loss.fetched) == (1, 1)


def test_settling_looks_only_at_what_is_new() -> None:
    queue = PushQueue(10**6)
    landed: list[int] = []
    for step in range(5):
        queue.put(weights(step))
    queue.settle()
    original = WeightsPush.land
    try:
        WeightsPush.land = lambda self: landed.append(self.moment.step)  # type: ignore[method-assign]
        for step in range(5, 8):
            queue.put(weights(step))
        queue.settle()
    finally:
        WeightsPush.land = original  # type: ignore[method-assign]
    assert sorted(landed) == [5, 6, 7]


def test_threads_lose_nothing_uncounted() -> None:
    queue = PushQueue(32 * KIB)
    got: list[int] = []
    done = threading.Event()

    def produce() -> None:
        for step in range(500):
            queue.put(weights(step))

    def consume() -> None:
        while not (done.is_set() and queue.empty()):
            got.extend(push.moment.step for push in queue.take_weights(8, 10**6)[0])

    threads = [threading.Thread(target=produce) for _ in range(4)]
    reader = threading.Thread(target=consume)
    for thread in (*threads, reader):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert len(got) + queue.dropped().get("budget.weights", 0) == 2000
    assert queue.used_bytes == 0


def test_signal_handler_may_push_in_the_middle_of_a_push(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = PushQueue(4 * KIB)
    inner = iter([lambda: queue.put(samples(9))])
    original = PushQueue._shrink

    def interrupted(self: PushQueue) -> None:
        next(inner, lambda: None)()
        original(self)

    monkeypatch.setattr(PushQueue, "_shrink", interrupted)
    queue.put(weights(1))
    assert sorted(drained(queue)) == [1, 9]
    assert queue.used_bytes == 0
