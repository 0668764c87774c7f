"""Rows are read in the order of segment and number, though they are stored out of order."""

from collections.abc import Sequence
from typing import Any

import pytest

from monitor.store.blocks import MOST_ROWS, Cell
from monitor.store.connection import Store
from monitor.store.jobs import JobQueue
from monitor.store.segments import segments_of
from monitor.watch import reading
from monitor.watch.reading import GAP_TIMEOUT_S, KindReader
from monitor.worker.fast import FastLane
from monitor.worker.loop import Worker
from tests.store.posting import START_S, Trainer, finish
from tests.worker.test_loop import made, work_off
from tests.worker.test_shards import push_all, ranks, walk


class Reading:
    """A reader, its clock, and a trainer whose rows a test stores as it likes."""

    def __init__(self, store: Store, queue: JobQueue) -> None:
        self.store, self.queue = store, queue
        self.now_s = 1000.0
        self.reader = KindReader("weights")
        self.trainer = Trainer(store)

    def rows(self, *numbers: int, step: int = 0) -> None:
        """Store rows whose value is their number; steps count on from `step`."""
        seq = sorted(numbers)
        cells = [Cell(index, float(number)) for index, number in enumerate(seq)]
        finish(self.queue, self.trainer, seq, [step + number for number in seq], {"S.G": cells})

    def resume(self) -> None:
        """Another trainer process goes on."""
        self.trainer = Trainer(self.store, resume=True)

    def restart(self) -> None:
        """Another watch goes on where this one stood."""
        self.reader = KindReader("weights", self.reader.place)

    def page(self) -> list[int]:
        """Steps of one page."""
        segments = segments_of(self.store, "demo")
        self.reader.load(self.store, "demo", segments, ["S.G"], self.now_s)
        found = []
        while self.reader.next_time is not None:
            found.append(self.reader.take().step)
        return found

    def all(self) -> list[int]:
        """Steps of all that is ready."""
        found = self.page()
        while self.reader.more:
            found += self.page()
        return found


@pytest.fixture
def work(store: Store, queue: JobQueue) -> Reading:
    """A reader at the beginning of a run."""
    return Reading(store, queue)


def test_moment_is_a_row(store: Store, queue: JobQueue) -> None:
    cells: dict[str, Sequence[Cell]] = {
        "S.G": [
            Cell(0, 0.5),
            Cell(1, None, status="nonfinite"),
            Cell(2, 0.25, status="insufficient"),
        ],
        "S.D": [Cell(1, 0.0)],
    }
    finish(queue, Trainer(store), range(3), [7, 8, 9], cells)
    reader = KindReader("weights")
    reader.load(store, "demo", segments_of(store, "demo"), ["S.G", "S.D", "S.E"], 0.0)
    first, second, third = (reader.take() for _ in range(3))
    assert (first.step, first.epoch, first.time) == (7, 0.7, START_S + 7)
    assert first.values == {"S.G": 0.5, "S.D": None, "S.E": None}
    assert str(second.values["S.G"]) == "nan"
    assert second.values["S.D"] == 0.0
    assert third.values["S.G"] is None


def test_each_row_once(work: Reading) -> None:
    work.rows(0, 1)
    assert work.all() == [0, 1]
    assert work.all() == []
    work.rows(2)
    assert work.all() == [2]
    assert (work.reader.place, work.reader.waiting) == ([0, 3], False)


def test_gap_is_waited_for(work: Reading) -> None:
    work.rows(0, 1, 3, 4)
    assert work.all() == [0, 1]
    assert work.reader.waiting
    work.now_s += GAP_TIMEOUT_S - 1
    assert work.all() == []
    work.rows(2)
    assert work.all() == [2, 3, 4]
    assert not work.reader.waiting


def test_gap_that_is_old_is_left_out(work: Reading) -> None:
    work.rows(0, 2, 5)
    assert work.all() == [0]
    work.now_s += GAP_TIMEOUT_S
    assert work.all() == [2, 5]
    work.rows(1)
    assert work.all() == []


def test_each_gap_has_its_own_minute(work: Reading) -> None:
    work.rows(0, 2)
    assert work.all() == [0]
    work.now_s += 40
    work.rows(1, 4)
    assert work.all() == [1, 2]
    work.now_s += 30  # The first gap would be 70 s old; this one is 30.
    assert work.all() == []
    work.now_s += 30
    assert work.all() == [4]


def test_gap_that_is_given_up_does_not_give_up_later_ones(work: Reading) -> None:
    work.rows(0, 2)
    work.all()
    work.now_s += 50
    work.rows(4)
    work.all()
    work.now_s += 10
    assert work.all() == [2]
    assert work.reader.waiting
    work.now_s += 50
    assert work.all() == [4]


def test_another_watch_goes_on_at_the_same_place(work: Reading) -> None:
    work.rows(0, 1, 3)
    assert work.all() == [0, 1]
    work.restart()
    assert work.all() == []
    work.rows(2)
    work.restart()
    assert work.all() == [2, 3]


def test_page_ends_and_there_is_more(work: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", 4)
    work.rows(*range(10))
    assert work.page() == [0, 1, 2, 3]
    assert work.reader.more
    work.restart()
    assert work.page() == [4, 5, 6, 7]
    assert work.page() == [8, 9]
    assert not work.reader.more


def test_gap_longer_than_pages_is_left_out(work: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", 4)
    work.rows(0, 21)
    assert work.all() == [0]
    work.now_s += GAP_TIMEOUT_S
    assert work.all() == [21]


def test_row_far_out_does_not_cost_the_way_there(work: Reading) -> None:
    work.rows(0, MOST_ROWS - 1)
    assert work.page() == [0]
    work.now_s += GAP_TIMEOUT_S
    assert work.page() == []
    assert work.reader.more


def test_rows_that_redis_lost_are_not_waited_for(store: Store, queue: JobQueue) -> None:
    work = Reading(store, queue)
    work.trainer = Trainer(store, "late", first_row=50)
    seq = [50, 51]
    cells = {"S.G": [Cell(0, 1.0), Cell(1, 1.0)]}
    finish(queue, work.trainer, seq, seq, cells)
    work.reader.load(store, "late", segments_of(store, "late"), ["S.G"], 0.0)
    assert [work.reader.take().step for _ in range(2)] == [50, 51]


def test_segments_follow_each_other(work: Reading) -> None:
    work.rows(0, 1, 2)
    work.resume()
    work.rows(0, 1, step=2)
    assert work.all() == [0, 1, 2, 2, 3]
    assert work.reader.place == [1, 2]


def test_newer_segment_waits_for_the_gap_of_the_older(work: Reading) -> None:
    work.rows(0, 2)
    work.resume()
    work.rows(0, step=10)
    assert work.all() == [0]
    work.now_s += GAP_TIMEOUT_S
    assert work.all() == [2, 10]


def test_segment_without_rows_is_passed_and_may_still_get_some(work: Reading) -> None:
    work.rows(0)
    assert work.all() == [0]
    first = work.trainer
    work.resume()
    assert work.all() == []
    work.trainer = first
    work.rows(1)
    assert work.all() == [1]


def test_older_segment_is_never_gone_back_to(work: Reading) -> None:
    work.rows(0)
    old = work.trainer
    work.resume()
    work.rows(0, step=5)
    assert work.all() == [0, 5]
    work.trainer = old
    work.rows(1)
    assert work.all() == []


def test_kinds_have_places_of_their_own(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    cells: dict[str, Any] = {"Q": [Cell(0, 0.5)]}
    finish(queue, trainer, [0], [100], cells, kind="samples")
    reader = KindReader("samples")
    reader.load(store, "demo", segments_of(store, "demo"), ["Q"], 0.0)
    assert reader.take().values == {"Q": 0.5}
    weights = KindReader("weights")
    weights.load(store, "demo", segments_of(store, "demo"), [], 0.0)
    assert (weights.next_time, weights.more, weights.waiting) == (None, False, False)


def test_row_whose_shards_are_not_there_is_waited_for(store: Store, queue: JobQueue) -> None:
    processes, snapshots = ranks(store, 2), walk(4)
    push_all(processes, snapshots)
    worker = made(Worker(store, FastLane()))
    reader, found = KindReader("weights"), []

    def read() -> list[tuple[int, bool]]:
        reader.load(store, "demo", segments_of(store, "demo"), ["S.G"], 1e6)
        while reader.next_time is not None:
            moment = reader.take()
            found.append((moment.step, moment.values["S.G"] is not None))
        return found

    processes[0].send()
    work_off(worker)
    # The first snapshot has no angle, and so no parts.
    assert (read(), reader.waiting) == ([(0, False)], True)
    processes[1].send()
    work_off(worker)
    assert read() == [(0, False), (1, True), (2, True), (3, True)]
    assert not reader.waiting
