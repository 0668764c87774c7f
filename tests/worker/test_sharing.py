"""Many worker processes on one stream, killed at random: every point once."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.runs import read_run
from monitor.store.series import read_series
from monitor.worker.fast import FastLane
from monitor.worker.loop import Worker
from tests.store.posting import Trainer, entries
from tests.worker.test_loop import nothing_waits, work_off
from trainer_hooks import keys

#: Age at which a dead worker's job is taken over, milliseconds.
CLAIM_MS = 400
#: Rows of one frame, frames, processes, and how many of them are killed.
ROWS, FRAMES, PROCESSES, KILLS = 5, 250, 3, 8
WAIT_S = 60.0
#: A worker of the fast lane that is slow enough to be killed while it works.
WORK = f"""
import sys, time
from monitor.store.connection import open_store
from monitor.worker.fast import FastLane
from monitor.worker.loop import Worker

class Slow(FastLane):
    def handle(self, queue, job, frame):
        if sys.argv[2] == "hang":
            print("working", flush=True)
            time.sleep(60)
        time.sleep(0.01)
        super().handle(queue, job, frame)

Worker(open_store(sys.argv[1]), Slow(), claim_timeout_ms={CLAIM_MS}).run()
"""


class Crew:
    """Worker processes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, how: str = "work") -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", WORK, self._store.redis_url, how]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def kill(self, process: "subprocess.Popen[str]") -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        self.processes.remove(process)


@pytest.fixture
def crew(store: Store) -> Iterator[Crew]:
    """Worker processes; none survives the test."""
    found = Crew(store)
    yield found
    for process in list(found.processes):
        found.kill(process)


def told_steps(store: Store) -> Counter[int]:
    """How often each step was told to browsers."""
    steps: Counter[int] = Counter()
    for event in entries(store, keys.events("demo")):
        told: dict[str, Any] = json.loads(event[b"data"])
        steps.update(told["series"]["loss"]["step"])
    return steps


def test_every_point_comes_once_whoever_dies(store: Store, crew: Crew) -> None:
    chance = random.Random(4)
    trainer = Trainer(store)
    for _ in range(PROCESSES):
        crew.start()
    for frame in range(FRAMES):
        first = frame * ROWS
        trainer.scalars([row / 8 for row in range(first, first + ROWS)], first=first)
        if frame % (FRAMES // KILLS) == FRAMES // KILLS - 1:
            crew.kill(chance.choice(crew.processes))
            crew.start()
            time.sleep(chance.random() / 2)
    give_up_s = time.monotonic() + WAIT_S
    while not nothing_waits(store):
        assert time.monotonic() < give_up_s
        time.sleep(0.05)

    steps = list(range(FRAMES * ROWS))
    series = read_series(store, "demo", ["loss"], None, None)["loss"]
    assert series.step.tolist() == steps
    assert series.value.tolist() == [step / 8 for step in steps]
    assert told_steps(store) == Counter(steps)
    assert entries(store, keys.dead_letters(0)) == []
    record = read_run(store, "demo")
    assert (record.drops, record.problems) == ({}, [])


def test_job_of_a_killed_worker_is_done_again_once(store: Store, crew: Crew) -> None:
    trainer = Trainer(store)
    trainer.scalars([0.5])
    doomed = crew.start("hang")
    assert doomed.stdout is not None
    assert doomed.stdout.readline() == "working\n"
    crew.kill(doomed)
    heir = Worker(store, FastLane(), claim_timeout_ms=CLAIM_MS)
    time.sleep(1.5 * CLAIM_MS / 1000)
    work_off(heir)
    assert told_steps(store) == Counter({0: 1})
    latest = read_run(store, "demo").latest["loss"]
    assert (latest["value"], latest["status"]) == (0.5, Cell(0, 0.5).status)
    assert nothing_waits(store)
