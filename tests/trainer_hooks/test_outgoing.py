"""Frames on their way: packed in time and order, within the budget, counted when dropped."""

import numpy as np
import pytest

from trainer_hooks import outgoing
from trainer_hooks.batches import Batch
from trainer_hooks.landing import Landing
from trainer_hooks.outgoing import SamplesLine, WeightsLine
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.pushes import Moment, SamplesPush, WeightsPush
from trainer_hooks.snapshot import Layout, Snapshot
from trainer_hooks.wire import Frame

KIB = 1024


def weights(step: int, kib: int = 1, *, size: int = 0) -> WeightsPush:
    values = np.zeros(size or kib * 256, np.float32)
    layout = Layout("full", 0, (("w", values.size, values.size),))
    snapshots = {"G": Snapshot(layout, Landing(values))}
    return WeightsPush(Moment(step, None, 1.0), snapshots, {"G": step})


def samples(batch: int, n: int = 3, *, last: bool = True) -> SamplesPush:
    chunk = Batch(np.zeros((n, 1, 32, 32), np.uint8), (-1, 1)).slice(0, n)
    return SamplesPush(Moment(batch, None, 1.0), batch, chunk, last)


@pytest.fixture
def queue() -> PushQueue:
    return PushQueue(1024 * KIB)


def test_pushes_wait_for_each_other(queue: PushQueue) -> None:
    line = WeightsLine(queue)
    for step in range(3):
        queue.put(weights(step))
    line.pack()
    assert [(one.first_row, one.last_row, one.last_step) for one in line.frames] == [(0, 2, 2)]
    line.sent()
    queue.put(weights(3))
    line.pack()
    assert (len(line.frames), line.wait_s > 0) == (0, True)
    line.pack(now=True)
    assert [one.first_row for one in line.frames] == [3]


def test_many_pushes_do_not_wait(queue: PushQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "FRAME_ROWS", 4)
    line = WeightsLine(queue)
    for step in range(10):
        queue.put(weights(step))
    rows = []
    for _ in range(3):
        line.pack()
        rows.append(line.frames[0].last_row)
        line.sent()
    assert rows == [3, 7, 9]


def test_large_pushes_do_not_wait_either(queue: PushQueue) -> None:
    line = WeightsLine(queue)
    for step in range(4):
        queue.put(weights(step, 60))
    rows = []
    for _ in range(4):
        line.pack()
        rows.append(line.frames[0].last_row)
        line.sent()
    assert rows == [0, 1, 2, 3]


def test_change_of_shape_begins_a_frame(queue: PushQueue) -> None:
    line = WeightsLine(queue)
    for step in range(4):
        queue.put(weights(step, size=5 if step < 3 else 6))
    line.pack()
    assert [(one.first_row, one.last_row) for one in line.frames] == [(0, 2), (3, 3)]
    assert line.first_row == 0
    line.sent()
    assert line.first_row == 3
    line.sent()
    assert line.first_row == 4


def test_frames_and_kept_snapshots_count_against_the_budget(queue: PushQueue) -> None:
    line = WeightsLine(queue)
    queue.put(weights(0, 8))
    queue.put(weights(1, 8))
    line.pack()
    frame = line.frames[0].nbytes
    assert frame > 16 * KIB
    assert queue.used_bytes == 2 * frame + 8 * KIB
    line.sent()
    assert queue.used_bytes == 8 * KIB


def test_room_is_made_before_frames_are_there(queue: PushQueue) -> None:
    line = WeightsLine(queue)
    highest: list[int] = []
    original = line.packer.pack

    def pack(pushes: list[WeightsPush]) -> Frame:
        highest.append(queue.used_bytes)
        return original(pushes)

    line.packer.pack = pack  # type: ignore[method-assign,assignment]
    for step in range(12):
        queue.put(weights(step, 80))
    line.pack(now=True)
    assert highest == [highest[0]]
    # While it packs: what waits, what was taken, and twice its frame; the oldest made room.
    assert 3 * 80 * KIB < highest[0] <= 1024 * KIB
    assert queue.dropped()["budget.weights"] > 0


def test_what_is_given_up_is_counted(queue: PushQueue) -> None:
    line, chunks = WeightsLine(queue), SamplesLine(queue)
    for step in range(3):
        queue.put(weights(step))
    queue.put(samples(0))
    line.pack()
    chunks.pack()
    line.drop("flush")
    chunks.drop("flush")
    assert queue.dropped() == {"flush.weights": 3, "flush.samples": 3}
    assert chunks.batches == 0
    assert queue.used_bytes == 1 * KIB


def test_defect_while_packing_is_counted(queue: PushQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    line = WeightsLine(queue)
    queue.put(weights(0))
    queue.put(weights(1))
    monkeypatch.setattr(line.packer, "pack", lambda pushes: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        line.pack()
    assert queue.dropped() == {"defect.weights": 2}


def test_samples_go_chunk_by_chunk_and_batches_count_when_they_arrive(queue: PushQueue) -> None:
    line = SamplesLine(queue)
    for push in (samples(4, last=False), samples(4), samples(5)):
        queue.put(push)
    told = []
    for _ in range(3):
        line.pack()
        line.pack()
        assert len(line.frames) == 1
        told.append((line.frames[0].last_row, line.batches))
        line.sent()
    assert told == [(4, 0), (4, 5), (5, 5)]
    assert (line.batches, line.packing, queue.used_bytes) == (6, False, 0)


def test_end_that_was_dropped_comes_before_the_next_batch(queue: PushQueue) -> None:
    line = SamplesLine(queue)
    queue.put(samples(0, last=False))
    line.pack()
    line.sent()
    queue.put(samples(2))
    line.pack()
    ends = [(one.last_row, one.amount, one.frame.header["last"]) for one in line.frames]
    assert ends == [(0, 0, True), (2, 3, True)]


def test_last_epoch_is_a_frame_of_its_own(queue: PushQueue) -> None:
    line = WeightsLine(queue)
    for step in range(3):
        push = weights(step)
        queue.put(WeightsPush(Moment(step, step, 1.0), push.networks, push.calls))
    line.pack()
    line.sent()
    line.close()
    assert [(one.first_row, one.last_row, one.last_step) for one in line.frames] == [(3, 3, 2)]
    line.sent()
    line.close()
    assert not line.frames
