"""Runs and workers: which there are, and which of them live."""

import pytest

from monitor.errors import UnknownRunError
from monitor.store import workers
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.jobs import JobQueue
from monitor.store.pulses import read_pulses
from monitor.store.runs import LOST_AFTER_S, read_run, read_runs, run_ids
from tests.store.posting import Trainer, finish
from trainer_hooks import keys


def silent(store: Store, run: str, seconds: float) -> None:
    """As if the trainer had last been heard so long ago."""
    store.data.hset(keys.meta(run), "heartbeat", store.now_s() - seconds)


def test_runs_are_newest_first_and_gone_ones_left_out(store: Store) -> None:
    for name in ("first", "second"):
        Trainer(store, name)
    assert run_ids(store) == ["second", "first"]
    assert [record.id for record in read_runs(store, ["second", "never", "first"])] == [
        "second", "first",
    ]  # fmt: skip
    with pytest.raises(UnknownRunError, match="'never'"):
        read_run(store, "never")


def test_status_is_the_trainers_last_word(store: Store) -> None:
    trainer = Trainer(store)
    assert read_run(store, "demo").status == "running"
    silent(store, "demo", LOST_AFTER_S + 1)
    assert read_run(store, "demo").status == "lost"
    trainer.beat()
    assert read_run(store, "demo").status == "running"
    trainer.beat(finished=True)
    silent(store, "demo", 1e6)
    assert read_run(store, "demo").status == "finished"
    Trainer(store, resume=True)
    assert read_run(store, "demo").status == "running"


def test_pulse_counts_what_is_stored_and_tells_the_newest_push(
    store: Store, queue: JobQueue
) -> None:
    Trainer(store, "empty")
    trainer = Trainer(store)
    finish(queue, trainer, [0, 1, 2], [5, 6, 7], {"loss": [Cell(0, 1.0)]})
    trainer.scalars([0.0], first=9)
    silent(store, "demo", 100)
    demo, empty = read_pulses(store)
    assert (demo.run, demo.status, demo.last_step, demo.rows) == ("demo", "lost", 9, 3)
    assert demo.heartbeat_s == pytest.approx(store.now_s() - 100, abs=5)
    assert (empty.run, empty.status, empty.last_step, empty.rows) == ("empty", "running", None, 0)


def test_latest_points_that_a_resume_hides_are_none(store: Store, queue: JobQueue) -> None:
    cells = {"v": [Cell(2, 1.0)], "early": [Cell(0, 2.0)], "late": [Cell(1, 3.0)]}
    finish(queue, Trainer(store), [0, 1, 2], [10, 15, 20], cells)
    assert set(read_run(store, "demo").latest) == {"v", "early", "late"}
    resumed = Trainer(store, resume=True)
    assert set(read_run(store, "demo").latest) == {"v", "early", "late"}
    finish(queue, resumed, [0], [12], {"v": [Cell(0, 4.0)]})
    record = read_run(store, "demo")
    steps = {name: point["step"] for name, point in record.latest.items()}
    assert steps == {"v": 12, "early": 10}
    assert record.metrics == ["early", "late", "v"]
    # One after it hides its own, and goes on hiding theirs.
    finish(queue, Trainer(store, resume=True), [0], [18], {"late": [Cell(0, 5.0)]})
    steps = {name: point["step"] for name, point in read_run(store, "demo").latest.items()}
    assert steps == {"v": 12, "early": 10, "late": 18}


def test_rows_of_the_newest_segment_tell_how_far_it_is(store: Store, queue: JobQueue) -> None:
    finish(queue, Trainer(store), [0, 1], [5, 6], {})
    resumed = Trainer(store, resume=True)
    finish(queue, resumed, [0], [6], {})
    record = read_run(store, "demo")
    assert (record.done_rows, record.done_steps) == ({"weights": 1}, {"weights": 6})
    assert [(s.first_step, s.last_step) for s in record.segments] == [(5, 6), (6, 6)]


def test_worker_lives_while_it_beats(store: Store) -> None:
    name = f"{workers.name_of(4711)}abc:fast"
    workers.beat(store, name, {"lane": "fast", "jobs": 3})
    (worker,) = workers.alive_workers(store)
    assert (worker["id"], worker["lane"], worker["jobs"]) == (name, "fast", "3")
    assert 0 <= worker["age_s"] < 5
    assert workers.has_beaten(store, 4711)
    assert not workers.has_beaten(store, 471)
    store.data.zadd(keys.WORKERS, {name: store.now_s() - workers.ALIVE_S - 1})
    assert workers.alive_workers(store) == []
    assert workers.has_beaten(store, 4711)
    workers.leave(store, name)
    assert not workers.has_beaten(store, 4711)
    assert not store.data.exists(keys.worker(name))
