"""Runs that are killed, resumed, forgotten by Redis, slow, or wrong about the time."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from monitor.store.connection import Store
from monitor.store.runs import LOST_AFTER_S, read_run, run_ids
from monitor.store.series import read_series
from monitor.watch.loop import Watch
from monitor.worker.fast import FastLane
from monitor.worker.loop import Worker
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail, eventually
from trainer_hooks import keys

#: A wrong clock, seconds.
DAY_S = 86_400.0

TRAINER = """
import sys, time, trainer_hooks
first, last, value, url = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
run = trainer_hooks.start("demo", redis_url=url, resume=True)
for step in range(first, last):
    run.push_weights(step, scalars={"loss": value})
time.sleep(600)
"""


@pytest.fixture
def trainers() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Trainer processes, all dead after the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def train(mail: Mail, first: int, last: int, value: float) -> "subprocess.Popen[bytes]":
    """A process that pushes a loss at these steps and then hangs."""
    arguments = [str(first), str(last), str(value), mail.redis_url]
    return subprocess.Popen([sys.executable, "-c", TRAINER, *arguments])


@pytest.fixture
def worker(store: Store) -> Worker:
    """What makes points of scalars."""
    made = Worker(store, FastLane())
    made.ready()
    return made


def losses(store: Store, worker: Worker) -> dict[int, float]:
    """The curve, once the worker has done what waits."""
    while worker.step(wait_ms=1):
        pass
    if "demo" not in run_ids(store) or "loss" not in read_run(store, "demo").latest:
        return {}
    series = read_series(store, "demo", ["loss"], None, None)["loss"]
    return dict(zip(series.step.tolist(), series.value.tolist(), strict=True))


def silent(store: Store, seconds: float) -> None:
    store.data.hset(keys.meta("demo"), "heartbeat", store.now_s() - seconds)


def status(store: Store) -> str:
    return read_run(store, "demo").status


def test_killed_trainer_resumed_by_name_is_one_run_of_two_segments(
    mail: Mail, worker: Worker, trainers: list["subprocess.Popen[bytes]"]
) -> None:
    trainers.append(train(mail, 0, 100, 1.0))
    eventually(lambda: len(losses(mail.store, worker)) == 100)
    assert status(mail.store) == "running"
    trainers[0].send_signal(signal.SIGKILL)
    trainers[0].wait()
    # Nobody else beats for it, neither worker nor server.
    silent(mail.store, LOST_AFTER_S + 1)
    losses(mail.store, worker)
    assert status(mail.store) == "lost"
    trainers.append(train(mail, 60, 80, 2.0))
    resumed = {**dict.fromkeys(range(60), 1.0), **dict.fromkeys(range(60, 80), 2.0)}
    eventually(lambda: losses(mail.store, worker) == resumed)
    assert run_ids(mail.store) == ["demo"]
    record = read_run(mail.store, "demo")
    assert record.status == "running"
    assert [(s.first_step, s.last_step) for s in record.segments] == [(0, 99), (60, 79)]
    assert record.segments[0].started < record.segments[1].started


def test_run_that_redis_forgot_is_back_by_itself_and_its_points_go_on(
    start: Start, mail: Mail, worker: Worker
) -> None:
    watch = Watch(mail.store)
    watch.tick()
    run = start("demo", redis_url=mail.redis_url, config={"lr": 1}, tags=("kept",))
    for step in range(20):
        run.push_weights(step, scalars={"loss": float(step)})
    eventually(lambda: len(losses(mail.store, worker)) == 20)
    watch.tick()
    mail.store.data.flushall()
    mail.store.blobs.flushall()
    assert run_ids(mail.store) == []
    eventually(lambda: run_ids(mail.store) == ["demo"])
    assert mail.store.data.get(keys.BLOB_URL) == mail.store.blob_url.encode()
    worker.ready()
    for step in range(20, 40):
        run.push_weights(step, scalars={"loss": float(step)})
    eventually(lambda: list(losses(mail.store, worker)) == list(range(20, 40)))
    watch.tick()
    watch.release()
    record = read_run(mail.store, "demo")
    assert (record.status, record.config["lr"], record.tags) == ("running", 1, ["kept"])
    assert [segment.first_step for segment in record.segments] == [20]
    assert record.watch is not None
    assert record.watch["places"]["weights"] == [0, 40]
    assert run.dropped == {}


def test_trainer_that_lives_without_a_call_is_running(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(0, scalars={"loss": 0.0})
    eventually(lambda: run_ids(mail.store))

    def seems_lost() -> bool:
        silent(mail.store, LOST_AFTER_S + 1)
        return status(mail.store) == "lost"

    for _ in range(2):
        eventually(seems_lost)  # A beat may come in between.
        eventually(lambda: status(mail.store) == "running")


@pytest.mark.parametrize("wrong_s", [-DAY_S, DAY_S])
def test_trainer_with_a_wrong_clock_is_running_until_it_falls_silent(
    start: Start, mail: Mail, worker: Worker, monkeypatch: pytest.MonkeyPatch, wrong_s: float
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + wrong_s)
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(0, scalars={"loss": 0.0})
    eventually(lambda: losses(mail.store, worker))
    record = read_run(mail.store, "demo")
    assert record.status == "running"
    assert abs(record.started - right()) < DAY_S / 2
    assert abs(record.latest["loss"]["time"] - right() - wrong_s) < DAY_S / 2
    run.finish()
    mail.store.data.hdel(keys.meta("demo"), "finished")
    silent(mail.store, LOST_AFTER_S + 1)
    assert status(mail.store) == "lost"


def test_new_trainer_learns_from_the_worker_where_frames_go_in_an_emptied_redis(
    start: Start, mail: Mail, worker: Worker
) -> None:
    mail.store.data.flushall()
    worker.ready()
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(0, scalars={"loss": 7.0})
    eventually(lambda: losses(mail.store, worker) == {0: 7.0})
