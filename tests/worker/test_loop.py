"""The worker's loop: every job ends in points, or in a reason."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.store.claims import MOST_DELIVERIES
from monitor.store.connection import Store
from monitor.store.jobs import MOST_FAILURES, Job, JobQueue
from monitor.store.runs import RunRecord, read_run
from monitor.store.series import read_series
from monitor.store.workers import alive_workers
from monitor.worker import loop
from monitor.worker.fast import FastLane
from monitor.worker.loop import Worker
from monitor.worker.samples import KEEP_BATCHES, SamplesLane
from tests.logged import logged
from tests.server.mortal import MortalRedis
from tests.store.posting import Trainer, entries, rows_of, samples_frame
from tests.worker.laboratory import evaluators, painted, without_reference
from trainer_hooks import keys
from trainer_hooks.wire import Frame, encode

LOST = "its data was lost: the Redis for frames was restarted or is full"
#: Longest wait for something in another thread, seconds.
WAIT_S = 20.0


class Breaking(FastLane):
    """Fails as often as it is told to, then works."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def handle(self, queue: JobQueue, job: Job, frame: Frame) -> None:
        if self.failures:
            self.failures -= 1
            raise ZeroDivisionError("a defect")
        super().handle(queue, job, frame)


@pytest.fixture
def fast(store: Store) -> Worker:
    """A worker of the fast lane."""
    return made(Worker(store, FastLane()))


@pytest.fixture
def samples(store: Store) -> Worker:
    """A worker of the samples lane."""
    return made(Worker(store, SamplesLane(evaluators())))


def made(worker: Worker) -> Worker:
    worker.ready()
    return worker


def work_off(*workers: Worker) -> None:
    """Let them work in turn until nothing waits."""
    found = True
    while found:
        found = False
        for worker in workers:
            found |= worker.step(wait_ms=1)


def values(store: Store, metric: str, run: str = "demo") -> dict[int, float]:
    series = read_series(store, run, [metric], None, None)[metric]
    return dict(zip(series.step.tolist(), series.value.tolist(), strict=True))


def nothing_waits(store: Store, run: str = "demo") -> bool:
    """No job, no frame, no byte of the budget."""
    jobs = sum(store.data.xlen(keys.jobs(0, lane)) for lane in keys.LANES)
    waiting = int(store.blobs.get(keys.outstanding_bytes(run)) or 0)
    frames: Any = store.blobs.keys(keys.blob_pattern(run))
    return (jobs, waiting, len(frames)) == (0, 0, 0) and not store.data.exists(keys.failures(0))


def only_frame(store: Store) -> tuple[bytes, bytes]:
    """Key and bytes of the one frame that waits."""
    found: Any = store.blobs.keys("*:blob:*")
    (name,) = found
    data: Any = store.blobs.get(name)
    return name, data


def problem(record: RunRecord, metric: str) -> tuple[str, int, str]:
    (found,) = [each for each in record.problems if each["metric"] == metric]
    return found["status"], found["count"], found["reason"]


def until(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


def test_pushes_become_points(store: Store, fast: Worker) -> None:
    trainer = Trainer(store)
    trainer.scalars([0.5, 0.25], first=0)
    trainer.scalars([0.125], first=2)
    work_off(fast)
    assert values(store, "loss") == {0: 0.5, 1: 0.25, 2: 0.125}
    assert nothing_waits(store)


def test_batch_becomes_points_picture_and_histogram(store: Store, samples: Worker) -> None:
    trainer = Trainer(store)
    images = painted([100] * 30, np.arange(30) % 3)
    for part in range(3):
        piece = images[10 * part : 10 * part + 10]
        trainer.post(samples_frame(piece, seq=2, part=part, last=part == 2))
    work_off(samples)
    assert values(store, "Q") == {200: 0.5}
    record = read_run(store, "demo")
    assert record.latest["D"]["n"] == 30
    assert record.provenance is not None
    assert (record.provenance["embedder"], record.provenance["modes"]) == ("colour", 12)
    assert record.scoring is not None
    assert (record.scoring["evaluator"], record.scoring["settings"]) == (
        "mtcnn", {"network": "painted"},
    )  # fmt: skip
    assert store.data.hlen(keys.grids("demo")) == store.data.hlen(keys.modes("demo")) == 1
    assert nothing_waits(store)


def test_chunks_may_go_to_different_workers(store: Store, samples: Worker) -> None:
    other = made(Worker(store, SamplesLane(evaluators())))
    trainer = Trainer(store)
    for batch in range(3):
        for part in range(4):
            piece = painted([40 * part] * 5, [part] * 5)
            trainer.post(samples_frame(piece, seq=batch, part=part, last=part == 3))
    work_off(samples, other)
    assert values(store, "Q") == {
        0: pytest.approx(0.3),
        100: pytest.approx(0.3),
        200: pytest.approx(0.3),
    }
    assert [fields[b"event"] for fields in entries(store, keys.events("demo"))] == [b"points"] * 3
    assert nothing_waits(store)


def test_without_reference_diversity_fails_with_the_reason(store: Store) -> None:
    worker = made(Worker(store, SamplesLane(without_reference("no reference set: build one"))))
    Trainer(store).post(samples_frame(painted([100] * 30, [0] * 30), seq=1))
    work_off(worker)
    record = read_run(store, "demo")
    assert problem(record, "D") == ("failed", 1, "no reference set: build one")
    assert (record.latest["Q"]["value"], record.provenance) == (0.5, None)


def test_lost_frame_fails_its_points_with_the_reason(store: Store, fast: Worker) -> None:
    trainer = Trainer(store)
    trainer.beat(G=3, D=4)
    trainer.scalars([1.0], first=0)
    trainer.scalars([2.0], first=1)
    store.blobs.flushall()
    trainer.scalars([3.0], first=2)
    work_off(fast)
    record = read_run(store, "demo")
    assert values(store, "loss") == {2: 3.0}
    assert record.drops == {"worker_lost_frames": 2}
    for metric in ("S.G", "S.D"):
        assert problem(record, metric) == ("failed", 2, LOST)
        series = read_series(store, "demo", [metric], None, None)[metric]
        assert series.as_json()["status"] == ["failed", "failed"]
    assert record.done_rows == {"weights": 3}
    assert nothing_waits(store)


def test_lost_chunk_fails_its_batch_once(store: Store, samples: Worker) -> None:
    trainer = Trainer(store)
    piece = painted([100] * 5, [1] * 5)
    trainer.post(samples_frame(piece, part=0, last=False))
    work_off(samples)
    for part in (1, 2):
        trainer.post(samples_frame(piece, part=part, last=part == 2))
    store.blobs.flushall()
    work_off(samples)
    record = read_run(store, "demo")
    assert problem(record, "Q") == ("failed", 1, LOST)
    assert problem(record, "D") == ("failed", 1, LOST)
    assert record.done_rows == {"samples": 1}
    assert nothing_waits(store)


def test_push_that_was_sent_twice_is_no_lost_frame(
    store: Store, fast: Worker, samples: Worker
) -> None:
    trainer = Trainer(store)
    trainer.beat(G=3)
    piece = painted([100] * 20, [1] * 20)
    for _ in range(2):  # The answer to the first was lost.
        trainer.scalars([0.5])
        trainer.post(samples_frame(piece, part=0, last=False))
    work_off(fast, samples)
    trainer.post(samples_frame(piece, part=1))
    work_off(samples)
    record = read_run(store, "demo")
    assert (record.problems, record.drops) == ([], {})
    assert (values(store, "loss"), values(store, "Q")) == ({0: 0.5}, {0: 0.5})
    assert record.latest["Q"]["n"] == 40
    assert nothing_waits(store)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"not a frame at all", "header claims"),
        (lambda data: data[:-8], "not a valid safetensors frame"),
        (lambda data: (2**62).to_bytes(8, "little") + data[8:], "header claims"),
        (lambda data: data.replace(b'\\"version\\": 1', b'\\"version\\": 9'), "version 9"),
    ],
)
def test_hostile_frame_is_given_up_at_once(
    store: Store, fast: Worker, change: Callable[[bytes], bytes], reason: str
) -> None:
    trainer = Trainer(store)
    trainer.beat(G=3)
    trainer.scalars([1.0])
    name, data = only_frame(store)
    assert change(data) != data
    store.blobs.set(name, change(data))
    assert fast.step(wait_ms=1)
    (letter,) = entries(store, keys.dead_letters(0))
    assert reason in letter[b"error"].decode()
    assert problem(read_run(store, "demo"), "S.G")[:2] == ("failed", 1)
    assert nothing_waits(store)
    trainer.scalars([2.0], first=1)
    work_off(fast)
    assert values(store, "loss") == {1: 2.0}


@pytest.mark.parametrize(
    "header", [{"run": "other"}, {"segment": "other"}, {"kind": "samples"}, {"seq": 7}], ids=str
)
def test_frame_of_something_else_than_its_job(
    store: Store, fast: Worker, header: dict[str, Any]
) -> None:
    trainer = Trainer(store)
    trainer.scalars([1.0])
    told = {"run": "demo", "segment": trainer.segment, "networks": [], "scalars": [],
            "failures": []}  # fmt: skip
    frame = Frame("weights", {**told, **header}, rows_of([header.get("seq", 0)]))
    if "kind" in header:
        frame = samples_frame(painted([1], [1]), run="demo", segment=trainer.segment)
    store.blobs.set(only_frame(store)[0], encode(frame))
    assert fast.step(wait_ms=1)
    assert len(entries(store, keys.dead_letters(0))) == 1
    assert nothing_waits(store)


def test_failure_is_tried_again(store: Store) -> None:
    worker = made(Worker(store, Breaking(MOST_FAILURES - 1), claim_timeout_ms=0))
    Trainer(store).scalars([0.5])
    work_off(worker)
    assert values(store, "loss") == {0: 0.5}
    assert entries(store, keys.dead_letters(0)) == []
    assert nothing_waits(store)


def test_job_that_keeps_failing_is_given_up(store: Store) -> None:
    worker = made(Worker(store, Breaking(MOST_FAILURES), claim_timeout_ms=0))
    trainer = Trainer(store)
    trainer.beat(G=3)
    trainer.scalars([0.5], first=0)
    trainer.scalars([0.25], first=1)
    work_off(worker)
    reason = f"failed {MOST_FAILURES} times: ZeroDivisionError: a defect"
    (letter,) = entries(store, keys.dead_letters(0))
    assert letter[b"error"].decode() == reason
    assert problem(read_run(store, "demo"), "S.G") == ("failed", 1, reason)
    assert values(store, "loss") == {1: 0.25}
    assert nothing_waits(store)


def test_job_that_kills_its_workers_is_given_up(store: Store, fast: Worker) -> None:
    Trainer(store).scalars([0.5])
    doomed = JobQueue(store, "doomed", claim_timeout_ms=0)
    for _ in range(MOST_DELIVERIES):
        assert doomed.next("fast", 1) is not None
    work_off(made(Worker(store, FastLane(), claim_timeout_ms=0)))
    (letter,) = entries(store, keys.dead_letters(0))
    assert letter[b"error"].decode() == f"it was taken {MOST_DELIVERIES} times and never finished"
    assert nothing_waits(store)


def test_batches_that_newer_ones_have_overtaken_are_skipped(store: Store, samples: Worker) -> None:
    trainer = Trainer(store)
    for batch in range(6):
        for part in range(2):
            chunk = painted([100] * 5, [1] * 5)
            trainer.post(samples_frame(chunk, seq=batch, part=part, last=part == 1))
    work_off(samples)
    newest = 5
    kept = [batch for batch in range(6) if batch >= newest - KEEP_BATCHES]
    assert sorted(values(store, "Q")) == [100 * batch for batch in kept]
    record = read_run(store, "demo")
    assert record.drops == {"worker_skipped_chunks": 2 * (6 - len(kept))}
    assert record.done_rows == {"samples": 6}
    assert record.problems == []
    assert nothing_waits(store)


def test_batch_is_skipped_half_way(store: Store, samples: Worker) -> None:
    trainer = Trainer(store)
    chunk = painted([100] * 5, [1] * 5)
    for part in range(2):
        trainer.post(samples_frame(chunk, seq=0, part=part, last=part == 1))
    assert samples.step(wait_ms=1)
    assert store.data.exists(keys.parts("demo", trainer.segment, 0))
    trainer.post(samples_frame(chunk, seq=KEEP_BATCHES + 1))
    work_off(samples)
    assert sorted(values(store, "Q")) == [100 * (KEEP_BATCHES + 1)]
    assert not store.data.exists(keys.parts("demo", trainer.segment, 0))
    assert nothing_waits(store)


def test_batches_of_an_ended_process_are_not_skipped(store: Store, samples: Worker) -> None:
    trainer = Trainer(store)
    for batch in range(6):
        trainer.post(samples_frame(painted([100] * 5, [1] * 5), seq=batch))
    Trainer(store, resume=True)
    work_off(samples)
    assert len(values(store, "Q")) == 6


def test_outdated_claim_stores_nothing(store: Store, fast: Worker) -> None:
    Trainer(store).scalars([0.5])
    assert JobQueue(store, "holder").next("fast", 1) is not None
    assert not fast.step(wait_ms=1)
    assert read_run(store, "demo").latest == {}


def test_worker_beats_renews_and_says_goodbye(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "BEAT_S", 0.05)
    working, done = threading.Event(), threading.Event()

    class Slow(FastLane):
        def handle(self, queue: JobQueue, job: Job, frame: Frame) -> None:
            working.set()
            assert done.wait(WAIT_S)
            super().handle(queue, job, frame)

    worker = Worker(store, Slow(), claim_timeout_ms=1000)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        Trainer(store).scalars([0.5])
        assert working.wait(WAIT_S)
        (alive,) = alive_workers(store)
        assert (alive["id"], alive["lane"], alive["jobs"]) == (worker.id, "fast", "0")
        time.sleep(1.5)  # Longer than the claim would live by itself.
        assert JobQueue(store, "thief", claim_timeout_ms=1000).next("fast", 1) is None
        done.set()
        until(lambda: nothing_waits(store))
    finally:
        done.set()
        worker.stop()
        thread.join(WAIT_S)
    assert not thread.is_alive()
    assert alive_workers(store) == []
    assert values(store, "loss") == {0: 0.5}


def test_what_is_logged_of_a_job_tells_its_run_and_step(store: Store) -> None:
    worker = made(Worker(store, Breaking(MOST_FAILURES), claim_timeout_ms=0))
    Trainer(store).scalars([0.5, 0.25], first=6)
    with logged() as lines:
        work_off(worker)
    assert [line["level"] for line in lines] == ["error"] * (MOST_FAILURES + 1)
    assert {(line["run"], line["step"]) for line in lines} == {("demo", 7)}
    assert lines[-1]["message"].endswith("is given up: failed 3 times: ZeroDivisionError: a defect")
    assert "ZeroDivisionError: a defect" in lines[0]["exception"]


def test_lane_outlives_what_nobody_expected(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop, "AWAY_S", 0.01)
    worker = Worker(store, FastLane())
    queue = getattr(worker, "_queue")  # noqa: B009 - to break it from outside
    sound, failures = queue.next, [UnicodeDecodeError("utf-8", b"", 0, 1, "broken")]

    def next_job(lane: keys.Lane, wait_ms: int) -> Job | None:
        if failures:
            raise failures.pop()
        found: Job | None = sound(lane, wait_ms)
        return found

    monkeypatch.setattr(queue, "next", next_job)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        Trainer(store).scalars([0.5])
        until(lambda: bool(read_run(store, "demo").latest))
    finally:
        worker.stop()
        thread.join(WAIT_S)
    assert "stumbled and goes on" in caplog.text


def test_outage_of_redis_is_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop, "AWAY_S", 0.05)
    redis = MortalRedis(tmp_path)
    worker = Worker(redis.store, FastLane())
    thread = threading.Thread(target=worker.run)
    try:
        Trainer(redis.store).scalars([0.5])
        redis.kill()
        thread.start()
        until(lambda: "waits" in caplog.text)
        redis.start()
        until(lambda: read_run(redis.store, "demo").latest.get("loss", {}).get("value") == 0.5)
    finally:
        worker.stop()
        thread.join(WAIT_S)
        redis.close()
    assert not thread.is_alive()


def test_point_of_a_lost_frame_is_at_its_last_row(store: Store, fast: Worker) -> None:
    trainer = Trainer(store)
    trainer.beat(G=3)
    trainer.scalars([1.0, 2.0, 3.0], first=4)
    store.blobs.flushall()
    work_off(fast)
    latest = read_run(store, "demo").latest["S.G"]
    assert (latest["step"], latest["time"], latest["value"]) == (6, 1_795_300_006.0, None)


def test_a_process_that_lost_its_gpu_ends_and_the_next_does_the_job(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An illegal access, say, stays with a process: every later call fails too."""

    class Lost(FastLane):
        def handle(self, queue: JobQueue, job: Job, frame: Frame) -> None:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(loop, "BEAT_S", 0.05)
    trainer = Trainer(store)
    for row in range(5):
        trainer.scalars([0.5], first=row)
    broken = Worker(store, Lost(), claim_timeout_ms=50)
    assert not broken.run()
    assert "ends: its process has lost the GPU" in caplog.text
    assert store.data.xlen(keys.dead_letters(0)) == 0
    time.sleep(0.1)
    work_off(made(Worker(store, FastLane(), claim_timeout_ms=50)))
    assert list(values(store, "loss")) == [0, 1, 2, 3, 4]
    assert not loop._has_lost_gpu(RuntimeError("CUDA error: out of memory"))
