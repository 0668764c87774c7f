"""Run one worker: computes S, Q and D of what trainers push. Start as many as you like."""

import os
import signal
import subprocess
import sys
import threading
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import WORKER, takes_settings
from monitor.config import Settings
from monitor.errors import MonitorError
from monitor.process import start_child, stop_children
from monitor.store.connection import Store, open_store

if TYPE_CHECKING:
    from monitor.worker.loop import Worker

NAME = "worker"
#: On a CPU the samples lane yields to the training (issue 4, point 7).
NICENESS = 10


class Lane(str, Enum):
    """What one worker process works on."""

    fast = "fast"
    samples = "samples"
    both = "both"


@takes_settings(*WORKER)
def run(
    settings: Settings,
    lane: Annotated[Lane, typer.Option(help="fast (S, scalars), samples (Q, D).")] = Lane.both,
) -> None:
    store = open_store(*settings.found_redis())
    store.ping()
    if lane is Lane.fast:
        _work(_fast_worker(store))
    elif lane is Lane.samples:
        _work(_samples_worker(settings, store))
    else:
        _work_both(settings, store)


def _work_both(settings: Settings, store: Store) -> None:
    """The fast lane in a process of its own (see worker/loop.py); neither goes on alone."""
    command = [sys.executable, "-m", "monitor.cli", "worker", "--lane", "fast"]
    fast = start_child(command, environment=settings.environment())
    ended: list[int] = []

    def follow() -> None:
        code = fast.wait()
        if not worker.stopping:
            ended.append(code)
            worker.stop()

    try:
        worker = _samples_worker(settings, store)
        threading.Thread(target=follow, daemon=True).start()
        _work(worker, fast)
    finally:
        stop_children([fast])
    if ended:
        raise MonitorError(f"the fast lane ended with exit code {ended[0]}")


def _fast_worker(store: Store) -> "Worker":
    """Computes S and stores scalars; needs no torch."""
    from monitor.worker.fast import FastLane
    from monitor.worker.loop import Worker

    return Worker(store, FastLane())


def _samples_worker(settings: Settings, store: Store) -> "Worker":
    """Computes Q and D."""
    # Spinning OpenMP threads make MTCNN's many tiny operations up to ten times slower, and they
    # take the training's cores. It must be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from monitor.worker.evaluators import choose_device, load_evaluators
    from monitor.worker.loop import Worker
    from monitor.worker.samples import SamplesLane

    if choose_device(settings.device) == "cpu":
        os.nice(NICENESS)
        # Before anything is loaded: the embedder takes as many.
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    return Worker(store, SamplesLane(load_evaluators(settings)))


def _work(worker: "Worker", *partners: "subprocess.Popen[bytes]") -> None:
    """Work until SIGINT or SIGTERM, which partners get as well."""

    def stop(*_: object) -> None:
        worker.stop()
        for partner in partners:
            partner.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    worker.run()
