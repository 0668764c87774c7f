"""The outbox: frames in order, in memory or on disk, and each is sent or counted."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trainer_hooks.test_spool import heavy, samples, weights
from trainer_hooks import outbox as outbox_module
from trainer_hooks.outbox import Outbox
from trainer_hooks.outgoing import Outgoing
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.spool import Spool
from trainer_hooks.wire import Kind

MIB = 2**20


class Box:
    """An outbox with a disk and a clock."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        self.queue = PushQueue(64 * MIB)
        self.spool = Spool(folder, 16 * MIB, self.queue.count_dropped)
        self.outbox = Outbox(self.queue, self.spool)

    def on_disk(self, kind: Kind) -> bool:
        return self.spool.holds(kind)

    def take(self, kind: Kind) -> Outgoing:
        """As the sender does."""
        first = self.outbox.first(kind)
        assert first is not None
        self.outbox.sent(first)
        return first

    def rows(self) -> list[int]:
        rows = []
        while self.outbox.first("weights"):
            rows.append(self.take("weights").last_row)
        return rows


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    made = Box(tmp_path / "spool", monkeypatch)
    yield made
    made.spool.close()


def test_what_is_sent_soon_never_sees_the_disk(box: Box, tmp_path: Path) -> None:
    for row in range(3):
        box.outbox.add(weights(row))
        box.outbox.spill()
        assert box.take("weights").last_row == row
        box.now_s += 10
    assert box.outbox.empty
    assert not (tmp_path / "spool").exists()
    assert box.queue.used_bytes == 0


def test_what_waits_goes_to_disk_and_stays_first(box: Box) -> None:
    box.outbox.add(weights(0))
    box.now_s += outbox_module.SPILL_AFTER_S - 0.01
    box.outbox.add(weights(1))
    box.outbox.spill()
    assert not box.on_disk("weights")
    box.now_s += 0.02
    box.outbox.spill()
    assert box.on_disk("weights")
    # Behind those on disk nothing may stay in memory, or it would overtake them.
    assert box.outbox.room.is_set()
    box.outbox.add(weights(2))
    assert not box.outbox.room.is_set()
    box.outbox.spill()
    assert box.outbox.room.is_set()
    assert box.rows() == [0, 1, 2]
    box.outbox.add(weights(3))
    box.outbox.spill()
    assert not box.outbox.room.is_set()
    assert not box.on_disk("weights")


def test_lines_do_not_wait_for_each_other(box: Box) -> None:
    box.outbox.add(samples(0))
    box.now_s += 1
    box.outbox.spill()
    box.outbox.add(weights(0))
    box.outbox.spill()
    assert box.on_disk("samples")
    assert not box.on_disk("weights")
    assert box.outbox.holds_samples
    box.take("samples")
    assert not box.outbox.holds_samples


def test_away_everything_goes_to_disk_at_once(box: Box) -> None:
    box.outbox.away = True
    box.outbox.add(weights(0))
    box.outbox.spill()
    assert box.on_disk("weights")


def test_frame_that_is_being_sent_while_it_is_spilled_is_sent_once(box: Box) -> None:
    box.outbox.add(weights(0))
    sending = box.outbox.first("weights")
    assert sending is not None
    box.outbox.add(weights(1))
    box.outbox.spill(now=True)
    box.outbox.sent(sending)
    assert box.rows() == [1]


def test_full_snapshots_stay_off_the_disk_while_the_worker_is_behind(box: Box) -> None:
    box.outbox.behind = True
    box.outbox.add(heavy(0))
    box.outbox.spill(now=True)
    assert box.take("weights").frame.header["networks"] == []
    assert box.queue.dropped() == {"behind.snapshots": 1}


def test_disk_that_refuses_leaves_it_in_memory_and_is_tried_again(
    box: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = []

    def refuse(outgoing: Outgoing, *, heavy: bool) -> None:
        refused.append(outgoing)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(box.spool, "add", refuse)
    box.outbox.add(weights(0))
    box.now_s += 1
    for _ in range(3):
        box.outbox.spill()
    assert len(refused) == 1
    assert not box.outbox.room.is_set()
    assert caplog.text.count("No space left") == 1
    monkeypatch.undo()
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    box.outbox.spill()
    assert box.on_disk("weights")
    assert box.rows() == [0]


def test_bytes_count_against_the_budget_only_in_memory(box: Box) -> None:
    one = heavy(0)
    box.outbox.add(one)
    assert box.queue.used_bytes == 2 * one.nbytes
    box.outbox.spill(now=True)
    assert box.queue.used_bytes == 0
    reading = box.outbox.first("weights")
    assert reading is not None
    assert box.queue.used_bytes == 2 * one.nbytes
    box.outbox.sent(reading)
    assert box.queue.used_bytes == 0


def test_end_leaves_what_is_on_disk_and_counts_the_rest(box: Box) -> None:
    box.outbox.add(weights(0))
    box.outbox.spill(now=True)
    box.outbox.add(weights(1))
    assert box.outbox.close("flush") == box.spool.nbytes > 0
    assert box.queue.dropped() == {"flush.weights": 1}


def test_what_is_packed_after_the_end_is_counted_and_opens_no_file(box: Box) -> None:
    box.outbox.close("flush")
    box.outbox.add(weights(1))
    box.outbox.spill(now=True)
    assert box.queue.dropped() == {"flush.weights": weights(1).amount}
    assert box.spool.nbytes == 0
    assert box.outbox.empty


def test_all_is_given_up(box: Box) -> None:
    box.outbox.add(weights(0))
    box.outbox.add(samples(0, n=3))
    box.outbox.spill(now=True)
    box.outbox.add(weights(1))
    box.outbox.drop_all("deleted")
    assert box.outbox.empty
    assert box.queue.dropped() == {"deleted.weights": 2, "deleted.samples": 3}
    assert box.queue.used_bytes == 0


def test_what_cannot_even_be_given_up_raises_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender's thread gives up what it cannot send; it must outlive that."""

    def broken(kind: Kind) -> None:
        raise OSError(kind)

    monkeypatch.setattr(box.spool, "first", broken)
    box.outbox.drop_first("defect")
