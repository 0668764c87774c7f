"""Where steps go back within a trainer process, and between two."""

import json
from collections.abc import Sequence

import pytest

from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.jobs import JobQueue
from monitor.watch import reading
from monitor.watch.rewinds import MOST_REWINDS, Rewinds
from monitor.watch.run_watch import RunWatch
from tests.store.posting import START_S, Trainer, finish


def steps_of(rewinds: Rewinds) -> list[tuple[int, int]]:
    return [(segment, step) for segment, step, *_ in rewinds.state()["found"]]


def seen(steps: Sequence[int], *, segment: int = 0, rewinds: Rewinds | None = None) -> Rewinds:
    rewinds = rewinds or Rewinds()
    for step in steps:
        rewinds.see(segment, step, float(step), row=0)
    return rewinds


@pytest.mark.parametrize(
    ("steps", "marks"),
    [
        ([], []),
        ([0], []),
        ([0, 1, 1, 1, 7], []),
        ([5, 6, 7, 3, 4], [3]),
        ([5, 6, 7, 6, 9, 8], [6, 8]),
        # A later one hides what is behind it.
        ([5, 6, 7, 6, 8, 2, 3], [2]),
        ([5, 6, 5, 6, 5], [5]),
    ],
)
def test_steps_that_go_back_are_found(steps: list[int], marks: list[int]) -> None:
    assert steps_of(seen(steps)) == [(0, step) for step in marks]


def test_next_process_is_no_rewind_but_has_its_own() -> None:
    rewinds = seen([0, 50, 20], segment=0)
    seen([10, 30, 25], segment=1, rewinds=rewinds)
    assert steps_of(rewinds) == [(0, 20), (1, 25)]
    assert rewinds.count == 3


def test_state_goes_on_where_it_was() -> None:
    for cut in range(6):
        steps = [3, 9, 4, 8, 6]
        first = seen(steps[:cut])
        again = Rewinds(json.loads(json.dumps(first.state())))
        assert seen(steps[cut:], rewinds=again).state() == seen(steps).state()


def test_memory_is_bounded_and_the_newest_are_kept() -> None:
    rewinds = seen([step + back for step in range(1000) for back in (1, 0)])
    assert steps_of(rewinds) == [(0, step) for step in range(1000 - MOST_REWINDS, 1000)]


@pytest.mark.parametrize("page", [3, 2048])
def test_watch_finds_them_whatever_the_order_of_the_blocks(
    store: Store, queue: JobQueue, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", page)
    trainer = Trainer(store)
    steps = [0, 10, 20, 30, 40, 20, 30, 40, 50, 60]
    watch = RunWatch("demo")
    for rows in ([6, 7], [0, 1, 2], [8, 9], [3, 4, 5]):
        cells = [Cell(i, 1.0) for i in range(len(rows))]
        finish(queue, trainer, rows, [steps[row] for row in rows], {"loss": cells})
        watch.advance(store, 0.0)
        watch = RunWatch("demo", json.loads(json.dumps(watch.state())))
    watch.advance(store, 0.0)
    while watch.more:
        watch.advance(store, 0.0)
    found = watch.state()["rewinds"]["weights"]["found"]
    assert found == [[0, 20, START_S + 20, 5]]


def test_state_from_before_rewinds_were_kept(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    finish(queue, trainer, [0, 1], [5, 6], {"loss": [Cell(0, 1.0)]})
    watch = RunWatch("demo")
    watch.advance(store, 0.0)
    state = watch.state()
    del state["rewinds"]
    finish(queue, trainer, [2, 3], [8, 7], {"loss": [Cell(0, 1.0)]})
    again = RunWatch("demo", state)
    again.advance(store, 0.0)
    assert [step for _, step, *_ in again.state()["rewinds"]["weights"]["found"]] == [7]
