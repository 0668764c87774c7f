"""Evaluation times: measured, told with the heartbeat, kept while Redis is away."""

import threading
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import StoreError
from monitor.store.connection import Store
from monitor.store.counters import EVALUATION, PARTS, read_counters
from monitor.store.runs import read_run
from monitor.worker import loop
from monitor.worker.fast import FastLane
from monitor.worker.loop import Handler, Worker
from monitor.worker.samples import SamplesLane
from monitor.worker.stopwatch import Stopwatch
from tests.server.mortal import MortalRedis
from tests.store.posting import Trainer, samples_frame
from tests.worker.laboratory import evaluators, painted
from tests.worker.test_loop import WAIT_S, until


def timed(store: Store) -> dict[str, int]:
    """How many durations of each part are told."""
    known = read_counters(store)
    return {part: sum(EVALUATION.read(known, part)[0]) for part in PARTS}


def test_a_chunk_is_timed_by_what_it_was_evaluated_for(store: Store) -> None:
    features = np.eye(8, 2, dtype=np.float32)
    lanes: list[Handler] = [SamplesLane(evaluators(features=features)), FastLane()]
    workers = [Worker(store, lane) for lane in lanes]
    trainer = Trainer(store, metrics=["Q", "D", "kid"])
    trainer.scalars([1.0, 2.0])
    for part in range(2):
        images = painted([100] * 20, np.arange(20) % 3)
        trainer.post(samples_frame(images, part=part, last=part == 1))
    for worker in workers:
        worker.ready()
        while worker.step(wait_ms=1):
            pass
    assert timed(store) == dict.fromkeys(PARTS, 0)
    for lane in lanes:
        lane.stopwatch.tell(store)
        lane.stopwatch.tell(store)
    assert timed(store) == {"S": 1, "Q": 2, "D": 2, "companions": 1}
    assert EVALUATION.read(read_counters(store), "Q")[1] > 0


def test_a_worker_that_ends_tells_its_last_seconds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "BEAT_S", 1e6)
    worker = Worker(store, FastLane())
    Trainer(store).scalars([1.0])
    thread = threading.Thread(target=worker.run)
    # It begins with a beat; what it has evaluated since, it tells when it leaves.
    thread.start()
    try:
        until(lambda: bool(read_run(store, "demo").latest))
        assert timed(store)["S"] == 0
    finally:
        worker.stop()
        thread.join(WAIT_S)
    assert timed(store)["S"] == 1


def test_the_time_of_a_failure_counts(store: Store) -> None:
    stopwatch = Stopwatch()
    with pytest.raises(ZeroDivisionError), stopwatch.timing("Q"):
        raise ZeroDivisionError
    stopwatch.tell(store)
    assert timed(store)["Q"] == 1


def test_what_could_not_be_told_is_told_later(tmp_path: Path) -> None:
    redis = MortalRedis(tmp_path)
    stopwatch = Stopwatch()
    with stopwatch.timing("S"):
        pass
    redis.kill()
    with pytest.raises(StoreError):
        stopwatch.tell(redis.store)
    with stopwatch.timing("S"):
        pass
    redis.start()
    stopwatch.tell(redis.store)
    assert timed(redis.store)["S"] == 2
    redis.close()
