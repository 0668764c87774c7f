"""Events: one columnar entry a block, in order, in a capped stream."""

import json
from typing import Any

from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.events import MOST_EVENTS, PAGE, announce, newest_id, read_after, still_holds
from monitor.store.jobs import Artifacts, JobQueue
from tests.store.posting import START_S, Trainer, block_of, claimed, finish, samples_frame
from trainer_hooks import keys

RUN, ALL = keys.events("demo"), keys.shard_events(0)


def test_block_is_one_event_of_the_run_and_one_of_all(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    cells = {
        "S.G": [Cell(1, 0.2, 0.01, 2), Cell(0, 0.1, n=1)],
        "S.D": [Cell(1, None, n=3, status="nonfinite", reason="NaN")],
        "S.G/conv": [Cell(0, 0.3)],
    }
    finish(queue, trainer, [4, 5], [40, 50], cells)
    (event,) = read_after(store, RUN, "0-0")
    assert (event.name, event.id) == ("points", newest_id(store, RUN))
    times = [START_S + 40, START_S + 50]
    assert json.loads(event.data) == {
        "run": "demo",
        "series": {
            "S.G": {"step": [40, 50], "epoch": [4, 5], "time": times, "value": [0.1, 0.2],
                    "stderr": [None, 0.01], "n": [1, 2], "status": ["ok", "ok"]},
            "S.D": {"step": [50], "epoch": [5], "time": times[1:], "value": [None],
                    "stderr": [None], "n": [3], "status": ["nonfinite"]},
        },
        "samples": [],
    }  # fmt: skip
    (light,) = read_after(store, ALL, "0-0")
    told = json.loads(light.data)
    assert (light.run, told["run"], told["last_step"]) == ("demo", "demo", 50)
    assert told["latest"]["S.G"] == {
        "step": 50, "epoch": 5, "time": times[1], "value": 0.2, "stderr": 0.01, "n": 2,
        "status": "ok",
    }  # fmt: skip
    assert set(told["latest"]) == {"S.G", "S.D"}


def test_block_whose_steps_go_back_tells_them_as_they_were_pushed(
    store: Store, queue: JobQueue
) -> None:
    cells = {"loss": [Cell(row, float(row)) for row in range(4)]}
    finish(queue, Trainer(store), [0, 1, 2, 3], [8, 9, 5, 6], cells)
    (event,) = read_after(store, RUN, "0-0")
    loss = json.loads(event.data)["series"]["loss"]
    assert (loss["step"], loss["value"]) == ([8, 9, 5, 6], [0, 1, 2, 3])
    (light,) = read_after(store, ALL, "0-0")
    assert json.loads(light.data)["latest"]["loss"]["step"] == 6


def test_batch_with_a_grid_says_so(store: Store, queue: JobQueue, any_image: Any) -> None:
    Trainer(store).post(samples_frame(any_image, seq=6))
    job = claimed(queue, "samples")
    block = block_of(job, [6], [600])
    block.add("Q", Cell(0, 0.5))
    queue.finish(job, block, artifacts=Artifacts(grid=b"grid"))
    (event,) = read_after(store, RUN, "0-0")
    assert json.loads(event.data)["samples"] == [600]


def test_block_of_single_tensors_alone_is_no_event(store: Store, queue: JobQueue) -> None:
    finish(queue, Trainer(store), [0], [0], {"S.G/conv": [Cell(0, 0.1)]})
    assert (newest_id(store, RUN), newest_id(store, ALL)) == ("0-0", "0-0")


def test_pages_follow_each_other_without_gap_or_double(store: Store) -> None:
    for number in range(PAGE + 30):
        announce(store, "demo", "status", {"number": number})
    first = read_after(store, RUN, "0-0")
    rest = read_after(store, RUN, first[-1].id)
    assert (len(first), len(rest)) == (PAGE, 30)
    numbers = [json.loads(event.data)["number"] for event in (*first, *rest)]
    assert numbers == list(range(PAGE + 30))
    assert read_after(store, RUN, rest[-1].id) == []


def test_id_that_was_cut_off_is_no_longer_held(store: Store) -> None:
    announce(store, "demo", "status", {})
    first = newest_id(store, RUN)
    assert still_holds(store, RUN, first)
    for _ in range(MOST_EVENTS + 100):  # Redis cuts by whole nodes.
        announce(store, "demo", "status", {})
    assert not still_holds(store, RUN, first)
    assert still_holds(store, RUN, newest_id(store, RUN))
    assert not still_holds(store, RUN, "1-1")
    assert store.data.xlen(RUN) <= MOST_EVENTS + 100


def test_event_of_all_comes_last(store: Store) -> None:
    # It wakes listeners, who then read their run's stream.
    announce(store, "demo", "status", {})
    mine, everybodys = newest_id(store, RUN), newest_id(store, ALL)
    assert tuple(map(int, mine.split("-"))) <= tuple(map(int, everybodys.split("-")))
