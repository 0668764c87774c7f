"""From pushes to frames: in time and order, within the budget, counted when dropped."""

from collections.abc import Sequence

import numpy as np
import pytest

from trainer_hooks import lines
from trainer_hooks.batches import Batch
from trainer_hooks.landing import Landing
from trainer_hooks.lines import SamplesLine, WeightsLine
from trainer_hooks.outbox import KINDS, Outbox
from trainer_hooks.outgoing import Outgoing
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.pushes import Moment, SamplesPush, WeightsPush
from trainer_hooks.snapshot import Layout, Snapshot
from trainer_hooks.wire import Frame, Kind

KIB = 1024


def weights(step: int, kib: int = 1, *, size: int = 0) -> WeightsPush:
    values = np.zeros(size or kib * 256, np.float32)
    layout = Layout("full", 0, (("w", values.size, values.size),))
    snapshots = {"G": Snapshot(layout, Landing(values))}
    return WeightsPush(Moment(step, None, 1.0), snapshots, {"G": step})


def samples(batch: int, n: int = 3, *, last: bool = True) -> SamplesPush:
    chunk = Batch(np.zeros((n, 1, 32, 32), np.uint8), (-1, 1)).slice(0, n)
    return SamplesPush(Moment(batch, None, 1.0), batch, chunk, last)


class Road:
    """A queue, its lines and an outbox without a disk."""

    def __init__(self) -> None:
        self.queue = PushQueue(1024 * KIB)
        self.outbox = Outbox(self.queue, None)
        self.weights = WeightsLine(self.queue, self.outbox)
        self.samples = SamplesLine(self.queue, self.outbox)

    def frames(self, kind: Kind) -> list[Outgoing]:
        """What waits in memory."""
        return [outgoing for _, outgoing in self.outbox._memory[kind]]

    def send(self, kind: Kind) -> Outgoing:
        """As the sender does."""
        first = self.outbox.first(kind)
        assert first is not None
        self.outbox.sent(first)
        return first


@pytest.fixture
def road() -> Road:
    return Road()


def _holds_samples(road: Road) -> bool:
    return road.outbox.holds_samples


def test_pushes_wait_for_each_other(road: Road) -> None:
    for step in range(3):
        road.queue.put(weights(step))
    road.weights.pack()
    (one,) = road.frames("weights")
    assert (one.first_row, one.last_row, one.last_step) == (0, 2, 2)
    road.send("weights")
    road.queue.put(weights(3))
    road.weights.pack()
    assert (road.frames("weights"), road.weights.wait_s > 0) == ([], True)
    road.weights.pack(now=True)
    assert [one.first_row for one in road.frames("weights")] == [3]


def test_many_pushes_do_not_wait(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "FRAME_ROWS", 4)
    for step in range(10):
        road.queue.put(weights(step))
    rows = []
    for _ in range(3):
        road.weights.pack()
        rows.append(road.send("weights").last_row)
    assert rows == [3, 7, 9]


def test_large_pushes_do_not_wait_either(road: Road) -> None:
    for step in range(4):
        road.queue.put(weights(step, 60))
    rows = []
    for _ in range(4):
        road.weights.pack()
        rows.append(road.send("weights").last_row)
    assert rows == [0, 1, 2, 3]


def test_change_of_shape_begins_a_frame(road: Road) -> None:
    for step in range(4):
        road.queue.put(weights(step, size=5 if step < 3 else 6))
    road.weights.pack()
    assert [(one.first_row, one.last_row) for one in road.frames("weights")] == [(0, 2), (3, 3)]
    assert road.outbox.first_row(99) == 0
    road.send("weights")
    assert road.outbox.first_row(99) == 3
    road.send("weights")
    assert road.outbox.first_row(99) == 99


def test_frames_and_kept_snapshots_count_against_the_budget(road: Road) -> None:
    road.queue.put(weights(0, 8))
    road.queue.put(weights(1, 8))
    road.weights.pack()
    frame = road.frames("weights")[0].nbytes
    assert frame > 16 * KIB
    assert road.queue.used_bytes == 2 * frame + 8 * KIB
    road.send("weights")
    assert road.queue.used_bytes == 8 * KIB


def test_room_is_made_before_frames_are_there(road: Road) -> None:
    highest: list[int] = []
    original = road.weights.packer.pack

    def pack(pushes: Sequence[WeightsPush]) -> Frame:
        highest.append(road.queue.used_bytes)
        return original(pushes)

    road.weights.packer.pack = pack  # type: ignore[method-assign]
    for step in range(12):
        road.queue.put(weights(step, 80))
    road.weights.pack(now=True)
    assert highest == [highest[0]]
    # While it packs: what waits, what was taken, and twice its frame; the oldest made room.
    assert 3 * 80 * KIB < highest[0] <= 1024 * KIB
    assert road.queue.dropped()["budget.weights"] > 0


def test_what_is_given_up_is_counted(road: Road) -> None:
    for step in range(3):
        road.queue.put(weights(step))
    road.queue.put(samples(0))
    road.weights.pack()
    road.samples.pack()
    assert _holds_samples(road)
    for kind in KINDS:
        first = road.outbox.first(kind)
        assert first is not None
        road.outbox.drop(first, "flush")
        road.outbox.drop(first, "flush")  # It is gone: that changes nothing.
    assert road.queue.dropped() == {"flush.weights": 3, "flush.samples": 3}
    assert not _holds_samples(road)
    assert road.queue.used_bytes == 1 * KIB


def test_defect_while_packing_is_counted(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    road.queue.put(weights(0))
    road.queue.put(weights(1))
    monkeypatch.setattr(road.weights.packer, "pack", lambda pushes: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        road.weights.pack()
    assert road.queue.dropped() == {"defect.weights": 2}
    assert road.queue.used_bytes == 0


def test_samples_go_chunk_by_chunk(road: Road) -> None:
    for push in (samples(4, last=False), samples(4), samples(5)):
        road.queue.put(push)
    told = []
    for _ in range(3):
        road.samples.pack()
        road.samples.pack()
        assert len(road.frames("samples")) == 1
        told.append(road.send("samples").key)
    assert told == [(4, 0), (4, 1), (5, 0)]
    assert (road.samples.packing, road.outbox.holds_samples, road.queue.used_bytes) == (
        False,
        False,
        0,
    )


def test_end_that_was_dropped_comes_before_the_next_batch(road: Road) -> None:
    road.queue.put(samples(0, last=False))
    road.samples.pack()
    road.send("samples")
    road.queue.put(samples(2))
    road.samples.pack()
    ends = [(one.last_row, one.amount, one.frame.header["last"]) for one in road.frames("samples")]
    assert ends == [(0, 0, True), (2, 3, True)]


def test_last_epoch_is_a_frame_of_its_own(road: Road) -> None:
    for step in range(3):
        push = weights(step)
        road.queue.put(WeightsPush(Moment(step, step, 1.0), push.networks, push.calls))
    road.weights.pack()
    road.send("weights")
    road.weights.close()
    (one,) = road.frames("weights")
    assert (one.first_row, one.last_row, one.last_step) == (3, 3, 2)
    road.send("weights")
    road.weights.close()
    assert road.frames("weights") == []


def test_batch_whose_end_was_dropped_is_ended(road: Road) -> None:
    """Half of it is with Redis: without its end it is never evaluated, nor the next one begun."""
    road.queue.put(samples(0, last=False))
    road.samples.pack()
    assert road.send("samples").part == 0
    for last in (False, True):
        road.queue.put(samples(0, last=last))
    road.queue.put(weights(0, 1024))
    assert road.queue.dropped() == {"budget.samples": 6, "budget.weights": 1}
    road.samples.pack()
    end = road.send("samples")
    assert (end.key, end.frame.header["last"], end.amount) == ((0, 1), True, 0)
    road.samples.pack()
    assert road.frames("samples") == []


def test_batch_that_was_dropped_whole_needs_no_end(road: Road) -> None:
    road.queue.put(samples(0))
    road.queue.clear("deleted")
    road.samples.pack()
    assert road.frames("samples") == []
