"""Jobs: claimed by one worker, finished once, given up for a reason."""

import time
from typing import Any

import pytest
import redis

from monitor.errors import StoreUnavailableError
from monitor.store.blocks import Cell
from monitor.store.claims import MOST_DEAD_LETTERS
from monitor.store.connection import Store
from monitor.store.jobs import JobQueue
from monitor.store.runs import read_run
from monitor.store.series import read_series
from tests.store.posting import Trainer, block_of, claimed, entries, keys_of, samples_frame
from trainer_hooks import keys
from trainer_hooks.wire import decode

#: Age at which a claim is taken over in these tests, milliseconds.
SOON_MS = 50


@pytest.fixture
def other(store: Store, queue: JobQueue) -> JobQueue:
    """Another worker, who takes over quickly."""
    return JobQueue(store, "two", claim_timeout_ms=SOON_MS)


def wait() -> None:
    time.sleep(3 * SOON_MS / 1000)


def pending(store: Store) -> Any:
    return store.data.xpending(keys.jobs(0, "fast"), keys.GROUP)["pending"]


def test_job_tells_whose_frame_it_is(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    trainer.scalars([1.0, 2.0, 3.0], first=5)
    job = claimed(queue)
    assert (job.run, job.segment, job.kind, job.lane) == (
        "demo",
        trainer.segment,
        "weights",
        "fast",
    )
    assert (job.row, job.step, job.part, job.deliveries) == (7, 7, "0", 1)
    data = queue.frame(job)
    assert data is not None
    assert len(data) == job.nbytes
    assert decode(data).header["scalars"] == ["loss"]


def test_each_job_goes_to_one_worker(store: Store, queue: JobQueue) -> None:
    other = JobQueue(store, "two")
    trainer = Trainer(store)
    for row in range(6):
        trainer.scalars([0.0], first=row)
    rows = [claimed(which).row for which in (queue, other, other, queue, other, queue)]
    assert rows == list(range(6))
    assert queue.next("fast", 1) is None


def test_lanes_do_not_wait_for_each_other(store: Store, queue: JobQueue, any_image: Any) -> None:
    trainer = Trainer(store)
    trainer.post(samples_frame(any_image))
    trainer.scalars([0.0])
    assert claimed(queue).kind == "weights"
    assert claimed(queue, "samples").kind == "samples"


def test_finished_job_leaves_its_points_and_nothing_else(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    trainer.scalars([0.0])
    assert int(store.blobs.get(keys.outstanding_bytes("demo")) or 0) > 0
    job = claimed(queue)
    block = block_of(job, [0])
    block.add("loss", Cell(0, 0.5))
    assert queue.finish(job, block)
    assert int(store.blobs.get(keys.outstanding_bytes("demo")) or 0) == 0
    assert not store.blobs.exists(keys.blob("demo", job.blob), keys.outstanding("demo"))
    assert (pending(store), store.data.xlen(keys.jobs(0, "fast"))) == (0, 0)
    parts = {key.partition(":run:demo:")[2].partition(":")[0] for key in keys_of(store)}
    assert parts - {""} == {"meta", "segments", "rows", "edits", "metrics", "events", "column"}


def test_finish_refuses_without_the_claim(store: Store, queue: JobQueue, other: JobQueue) -> None:
    trainer = Trainer(store)
    trainer.scalars([0.0])
    job = claimed(queue)
    assert not other.finish(job, block_of(job, [0]))
    wait()
    taken = claimed(other)
    assert (taken.id, taken.deliveries) == (job.id, 2)
    late = block_of(job, [0])
    late.add("loss", Cell(0, -1.0))
    assert not queue.finish(job, late)
    block = block_of(job, [0])
    block.add("loss", Cell(0, 1.0))
    assert other.finish(taken, block)
    assert not other.finish(taken, block)
    assert read_series(store, "demo", ["loss"], None, None)["loss"].value.tolist() == [1.0]
    assert store.data.xlen(keys.events("demo")) == 1


def test_renewed_claim_is_not_taken_over(store: Store, queue: JobQueue, other: JobQueue) -> None:
    Trainer(store).scalars([0.0])
    job = claimed(queue)
    wait()
    assert queue.renew(job)
    assert other.next("fast", 1) is None


def test_lost_claim_cannot_be_renewed_back(store: Store, queue: JobQueue, other: JobQueue) -> None:
    Trainer(store).scalars([0.0])
    job = claimed(queue)
    wait()
    taken = claimed(other)
    assert not queue.renew(job)
    assert other.finish(taken, block_of(taken, [0]))
    assert not queue.renew(job)


def test_failures_are_counted_by_who_holds_the_claim(
    store: Store, queue: JobQueue, other: JobQueue
) -> None:
    Trainer(store).scalars([0.0])
    job = claimed(queue)
    assert [queue.failed(job), queue.failed(job), other.failed(job)] == [1, 2, 0]
    queue.finish(job, block_of(job, [0]))
    assert queue.failed(job) == 0
    assert not store.data.exists(keys.failures(0))


@pytest.mark.parametrize(
    "entry",
    [
        {"nothing": "here"},
        {"run": b"\xff\xfe"},
        {"row": "-1"},
        {"row": str(2**40)},
        {"step": "1e3"},
        {"bytes": "many"},
        {"time": "nan"},
        {"run": "a/b"},
    ],
    ids=str,
)
def test_malformed_entry_becomes_a_dead_letter(
    store: Store, queue: JobQueue, entry: dict[Any, Any]
) -> None:
    sound = {"run": "r", "segment": "s", "kind": "weights", "blob": "b", "bytes": 1, "row": 1,
             "step": 1, "time": 1.0}  # fmt: skip
    bad = entry if "nothing" in entry else {**sound, **entry}
    store.data.xadd(keys.jobs(0, "fast"), bad)
    assert queue.next("fast", 1) is None
    (letter,) = entries(store, keys.dead_letters(0))
    assert b"is malformed" in letter[b"error"]
    assert store.data.xlen(keys.jobs(0, "fast")) == 0
    assert pending(store) == 0


def test_dead_letters_are_bounded(store: Store, queue: JobQueue) -> None:
    for _ in range(MOST_DEAD_LETTERS + 300):
        store.data.xadd(keys.jobs(0, "fast"), {"bad": "entry"})
        assert queue.next("fast", 1) is None
    # Redis cuts by whole nodes of a hundred.
    assert MOST_DEAD_LETTERS <= store.data.xlen(keys.dead_letters(0)) <= MOST_DEAD_LETTERS + 100


def test_given_up_job_says_why(store: Store, queue: JobQueue) -> None:
    Trainer(store).scalars([0.0])
    job = claimed(queue)
    block = block_of(job, [0])
    block.add("S.G", Cell(0, None, status="failed", reason="it is broken"))
    assert queue.finish(job, block, counts={"worker_lost_frames": 1}, dead="it is broken")
    (letter,) = entries(store, keys.dead_letters(0))
    assert letter == {b"run": b"demo", b"job": job.id.encode(), b"error": b"it is broken"}
    record = read_run(store, "demo")
    assert record.drops == {"worker_lost_frames": 1}
    assert record.problems == [
        {"metric": "S.G", "status": "failed", "count": 1, "first_step": 0, "last_step": 0,
         "reason": "it is broken"}
    ]  # fmt: skip


def test_a_problem_spans_its_steps_also_after_a_step_back(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    for row, step in enumerate((500, 900, 300, 400)):
        trainer.scalars([0.0], first=row)
        job = claimed(queue)
        block = block_of(job, [row], [step])
        block.add("S.G", Cell(0, None, status="failed", reason=f"at {step}"))
        queue.finish(job, block)
    [problem] = read_run(store, "demo").problems
    assert (problem["first_step"], problem["last_step"]) == (300, 400)
    assert (problem["count"], problem["reason"]) == (4, "at 400")


def test_result_is_known_to_be_there(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    trainer.scalars([0.0, 0.0])
    trainer.scalars([0.0, 0.0])  # The answer to the first was lost.
    first, second = claimed(queue), claimed(queue)
    assert not queue.stored(second)
    queue.finish(first, block_of(first, [0, 1]))
    assert queue.stored(second)
    assert queue.frame(second) is None
    queue.dismiss(second)
    assert pending(store) == 0
    assert store.data.xlen(keys.jobs(0, "fast")) == 0


def test_latest_point_is_that_of_the_newest_row(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    for row in (3, 9, 5):
        trainer.scalars([0.0], first=row)
        job = claimed(queue)
        block = block_of(job, [row])
        block.add("loss", Cell(0, row / 10, 0.25, 7, "insufficient"))
        queue.finish(job, block)
    assert read_run(store, "demo").latest["loss"] == {
        "kind": "weights", "step": 9, "epoch": 0.9, "time": 1_795_300_009.0, "value": 0.9,
        "stderr": 0.25, "n": 7, "status": "insufficient",
    }  # fmt: skip


def test_newest_batch_counts_in_the_segment_that_pushes(
    store: Store, queue: JobQueue, any_image: Any
) -> None:
    old = Trainer(store)
    for batch in range(4):
        old.post(samples_frame(any_image, seq=batch))
    job = claimed(queue, "samples")
    assert (job.row, queue.newest_batch(job)) == (0, 3)
    Trainer(store, resume=True).beat()
    assert queue.newest_batch(job) == 0


def test_networks_come_from_the_heartbeat(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    trainer.scalars([0.0])
    job = claimed(queue)
    assert queue.networks(job) == []
    trainer.beat(G=4, D=5)
    assert sorted(queue.networks(job)) == ["D", "G"]


def test_lost_server_is_named(store: Store, queue: JobQueue) -> None:
    Trainer(store).scalars([0.0])
    job = claimed(queue)
    away = redis.Redis(port=9)
    half = JobQueue(
        Store(store.data, away, store.redis_url, "redis://:secret@127.0.0.1:9/0"), "one"
    )
    with pytest.raises(StoreUnavailableError, match=r"redis://127\.0\.0\.1:9/0 cannot be reached"):
        half.frame(job)


def test_counts_add_up(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    for row in range(2):
        trainer.scalars([0.0], first=row)
        job = claimed(queue)
        queue.finish(job, block_of(job, [row]), counts={"worker_skipped_chunks": 2})
    assert read_run(store, "demo").drops == {"worker_skipped_chunks": 4}


def die(*_: Any) -> None:
    raise KeyboardInterrupt


def test_worker_that_dies_before_it_frees_its_frame_costs_nothing(
    store: Store, queue: JobQueue, other: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trainer(store).scalars([0.0])
    job = claimed(queue)
    block = block_of(job, [0])
    block.add("loss", Cell(0, 1.0))
    monkeypatch.setattr(queue, "dismiss", die)
    with pytest.raises(KeyboardInterrupt):
        queue.finish(job, block)
    wait()
    taken = claimed(other)
    assert other.failed(taken) == 0
    again = block_of(taken, [0])
    again.add("loss", Cell(0, None, status="failed", reason="must not be stored"))
    assert other.finish(taken, again, counts={"worker_lost_frames": 1})
    record = read_run(store, "demo")
    assert (record.latest["loss"]["value"], record.problems, record.drops) == (1.0, [], {})
    assert store.data.xlen(keys.events("demo")) == 1
    assert int(store.blobs.get(keys.outstanding_bytes("demo")) or 0) == 0
    assert (pending(store), store.data.xlen(keys.jobs(0, "fast"))) == (0, 0)
    assert not store.data.exists(keys.failures(0))


def test_part_is_not_kept_again_after_its_batch(
    store: Store, queue: JobQueue, any_image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(store)
    for part in range(2):
        trainer.post(samples_frame(any_image, part=part, last=part == 1))
    first, second = claimed(queue, "samples"), claimed(queue, "samples")
    with monkeypatch.context() as patch:
        patch.setattr(queue, "dismiss", die)
        with pytest.raises(KeyboardInterrupt):
            queue.keep_part(first, 0, b"0", last=False)
    assert queue.keep_part(second, 1, b"1", last=True) == [b"0", b"1"]
    assert queue.finish(second, block_of(second, [0]))
    heir = JobQueue(store, "heir", claim_timeout_ms=0)
    taken = claimed(heir, "samples")
    assert taken.id == first.id
    assert heir.keep_part(taken, 0, b"0", last=False) is None
    assert not store.data.exists(keys.parts("demo", first.segment, 0))
    assert store.data.xlen(keys.jobs(0, "samples")) == 0
