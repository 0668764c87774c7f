"""A deleted run leaves nothing behind, whoever is at work on it."""

import json
from typing import Any

import pytest

from monitor.errors import UnknownRunError
from monitor.store.alerts import mark_alert
from monitor.store.artifacts import grid_steps
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.deletion import clear, forget_events
from monitor.store.deliveries import Notice, begin, settle
from monitor.store.jobs import Artifacts, Job, JobQueue
from monitor.store.runs import delete_run, read_runs, run_ids
from monitor.store.watching import WatchStore
from monitor.types import Alert
from tests.store.every_key import durable, fill_every_key, mentions
from tests.store.posting import (
    HISTOGRAM,
    Trainer,
    block_of,
    claimed,
    entries,
    finish,
    keys_of,
    samples_frame,
)
from trainer_hooks import keys
from trainer_hooks.errors import RunDeletedError

PROVENANCE = {"embedder": "e", "reference": "r", "modes": 2, "ceiling": 0.69}
#: What belongs to no run.
SHARED = {
    keys.jobs(0, "fast"), keys.jobs(0, "samples"), keys.shard_events(0), keys.dead_letters(0),
    keys.watch_lease(0), keys.watch_fence(0), keys.INSTANCE, keys.BLOB_URL, keys.counters(0),
}  # fmt: skip


def of_runs(store: Store) -> set[str]:
    return keys_of(store) - SHARED


def fill(store: Store, queue: JobQueue, image: Any, run: str) -> Trainer:
    """A run with everything a run can have."""
    trainer = Trainer(store, run)
    trainer.beat(G=3)
    # Rows over several chunks: more keys than one page of a deletion.
    for chunk in range(3):
        cells = {f"S.G/{number}": [Cell(0, 0.1, 0.1, 2, "insufficient")] for number in range(70)}
        finish(queue, trainer, [chunk * 4096], [chunk], cells)
    trainer.post(samples_frame(image))
    job = claimed(queue, "samples")
    assert queue.keep_part(job, 0, b"all", last=True)
    artifacts = Artifacts(b"grid", json.dumps(HISTOGRAM).encode(), PROVENANCE)
    queue.finish(job, block_of(job, [0]), artifacts=artifacts)
    trainer.post(samples_frame(image, seq=1, last=False))
    assert queue.keep_part(claimed(queue, "samples"), 0, b"half", last=False) is None
    trainer.scalars([0.0], first=99)
    job = claimed(queue)
    queue.finish(job, block_of(job, [99]), dead="given up")
    watch = WatchStore(store, "watch")
    lease = watch.lease(0)
    assert lease is not None
    alert = Alert("1", run, "quality", 1, 2, ("Q",), "warning", "Q fell.", 3.0)
    assert watch.commit(lease, run, {"summary": {}}, [alert], status="running") == "stored"
    mark_alert(store, run, "1", "acknowledged", 5.0)
    notice = Notice(run, "1", "channel", "token")
    assert begin(store, lease, notice)[0] == "go"
    settle(store, notice, "sent")
    return trainer


def push(trainer: Trainer, image: Any) -> None:
    """Two jobs that wait."""
    trainer.scalars([0.0], first=100)
    trainer.post(samples_frame(image, seq=2))


def work_off(queue: JobQueue) -> list[bool]:
    """Finish whatever waits; whether each was stored."""
    done = []
    for lane in keys.LANES:
        while (job := queue.next(lane, 1)) is not None:
            done.append(queue.finish(job, block_of(job, [job.row])))
    return done


@pytest.mark.parametrize("name", ["demo", "a b:c*[x]?%\\é😀{0}"])
def test_no_key_is_left(store: Store, queue: JobQueue, any_image: Any, name: str) -> None:
    other = fill(store, queue, any_image, f"{name}2")
    before = of_runs(store)
    push(fill(store, queue, any_image, name), any_image)
    assert len(of_runs(store) - before) > 500
    delete_run(store, name)
    assert of_runs(store) == before
    assert run_ids(store) == [other.run]
    letters = entries(store, keys.dead_letters(0))
    assert [letter[b"run"].decode() for letter in letters] == [other.run]
    push(other, any_image)
    assert work_off(queue) == [False, True, False, True]
    assert store.data.xlen(keys.jobs(0, "fast")) == store.data.xlen(keys.jobs(0, "samples")) == 0
    delete_run(store, other.run)
    assert of_runs(store) == set()


def test_everybody_is_told(store: Store, queue: JobQueue) -> None:
    Trainer(store)
    delete_run(store, "demo")
    (event,) = entries(store, keys.shard_events(0))
    assert (event[b"event"], event[b"run"]) == (b"status", b"demo")
    assert event[b"data"] == b'{"run": "demo", "status": "deleted"}'


def test_worker_and_trainer_at_work_bring_nothing_back(
    store: Store, queue: JobQueue, any_image: Any
) -> None:
    trainer = Trainer(store)
    trainer.scalars([0.0])
    trainer.post(samples_frame(any_image))
    weights, samples = claimed(queue), claimed(queue, "samples")
    watch = WatchStore(store, "watch")
    lease = watch.lease(0)
    assert lease is not None
    delete_run(store, "demo")

    block = block_of(weights, [0])
    block.add("loss", Cell(0, 1.0))
    assert not queue.finish(weights, block)
    assert queue.keep_part(samples, 0, b"all", last=True) is None
    assert watch.commit(lease, "demo", {}, [], status="lost") == "deleted"
    with pytest.raises(RunDeletedError):
        trainer.beat()
    assert of_runs(store) == set()
    assert store.data.xlen(keys.jobs(0, "fast")) == store.data.xlen(keys.jobs(0, "samples")) == 0


def test_name_is_free_again(store: Store, queue: JobQueue) -> None:
    finish(queue, Trainer(store), [0], [0], {"loss": [Cell(0, 1.0)]})
    delete_run(store, "demo")
    assert Trainer(store).run == "demo"


def test_name_is_not_free_while_keys_are_still_removed(store: Store, queue: JobQueue) -> None:
    finish(queue, Trainer(store), [0], [0], {"loss": [Cell(0, 1.0)]})
    store.data.delete(keys.segments("demo"))
    newcomers = [Trainer(store) for _ in clear(store, "demo")]
    assert len(newcomers) > 1
    assert "demo" not in [trainer.run for trainer in newcomers]
    for trainer in newcomers:
        trainer.beat()
    assert Trainer(store).run == "demo"


def test_run_that_is_back_keeps_its_keys(store: Store, queue: JobQueue, any_image: Any) -> None:
    fill(store, queue, any_image, "demo")
    store.data.delete(keys.segments("demo"))
    clearing = clear(store, "demo")
    next(clearing)
    trainer = Trainer(store, resume=True)
    trainer.post(samples_frame(any_image, seq=9))
    before = of_runs(store)
    assert list(clearing) == []
    assert of_runs(store) == before
    assert run_ids(store) == ["demo"]


def test_every_key_there_can_be_is_removed(store: Store) -> None:
    for run in ("gone", "other"):
        fill_every_key(store, run)
    before = mentions(store, "gone")
    assert len(before) > len(durable("gone")) + 6
    kept = mentions(store, "other")
    delete_run(store, "gone")
    assert mentions(store, "gone") == [keys.shard_events(0)]
    assert mentions(store, "other") == kept
    # Who listens may go on from there, for a while.
    told = [e[b"data"] for e in entries(store, keys.shard_events(0)) if e[b"run"] == b"gone"]
    assert told == [b"{}", b'{"run": "gone", "status": "deleted"}']
    forget_events(store, 0, run_ids(store), store.now_s() - 100)
    assert mentions(store, "gone") == [keys.shard_events(0)]
    forget_events(store, 0, run_ids(store), store.now_s() + 100)
    assert mentions(store, "gone") == []
    assert mentions(store, "other") == kept


@pytest.mark.parametrize("stop", range(1, 4))
def test_deletion_that_was_interrupted_can_be_done_again(
    store: Store, queue: JobQueue, any_image: Any, stop: int
) -> None:
    fill(store, queue, any_image, "demo")
    store.data.delete(keys.segments("demo"))
    clearing = clear(store, "demo")
    for _ in range(stop):
        next(clearing)
    del clearing
    # It is still listed, so that whoever tidies up finds it; nobody sees it.
    assert run_ids(store) == ["demo"]
    assert read_runs(store, ["demo"]) == []
    assert len(list(clear(store, "demo"))) > 0
    assert of_runs(store) == set()
    told = entries(store, keys.shard_events(0))
    assert told[-1][b"data"] == b'{"run": "demo", "status": "deleted"}'
    # Once more finds nothing, and tells nobody.
    for _ in clear(store, "demo"):
        assert of_runs(store) == set()
    assert entries(store, keys.shard_events(0)) == told


def test_unknown_run_is_named(store: Store) -> None:
    with pytest.raises(UnknownRunError, match="'absent'"):
        delete_run(store, "absent")
    with pytest.raises(UnknownRunError, match="'absent'"):
        grid_steps(store, "absent")


def test_job_of_a_deleted_run_can_be_lost(store: Store, queue: JobQueue) -> None:
    Trainer(store).scalars([0.0])
    job: Job = claimed(queue)
    delete_run(store, "demo")
    assert queue.frame(job) is None
    assert not queue.stored(job)
    assert queue.failed(job) == 1
    queue.dismiss(job)
    assert not store.data.exists(keys.failures(0))
