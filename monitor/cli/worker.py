"""Run one worker: computes S, Q and D of what trainers push. Start as many as you like."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from enum import Enum
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import WORKER, takes_settings
from monitor.config import Settings
from monitor.logs import notices
from monitor.process import start_child, stop_children
from monitor.store.connection import Store, open_store

if TYPE_CHECKING:
    from monitor.worker.loop import Worker

NAME = "worker"
#: On a CPU the samples lane yields to the training (issue 4, point 7). The fast lane yields always,
#: but less: where every core is busy it still gets a quarter of one, and needs a twentieth.
NICENESS, FAST_NICENESS = 10, 5
#: Wait before a fast lane that died is started again, seconds.
RESTART_S = 2.0
#: Wait between looks while it ends, seconds.
LOOK_S = 0.1

log = logging.getLogger(__name__)


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
    _on_signals(_leave)
    if lane is Lane.fast:
        told = _work(_fast_worker(store))
    elif lane is Lane.samples:
        told = _work(_samples_worker(settings, store))
    else:
        told = _work_both(settings, store)
    # Unloading torch takes seconds where a training leaves little of the CPU, and saves nothing; a
    # thread that hangs would not even let it.
    logging.shutdown()
    os._exit(0 if told else 1)


def _work_both(settings: Settings, store: Store) -> bool:
    """The samples lane here, the fast lane in a process of its own (see worker/loop.py)."""
    fast = _FastProcess(settings.environment())
    try:
        return _work(_samples_worker(settings, store), fast.stop)
    finally:
        fast.stop()
        fast.join()


class _FastProcess:
    """The fast lane as a child, started again when it dies: without it S would end silently."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._stopping = threading.Event()
        self._child = self._start()
        # A child dies with the thread that started it: this one lives as long as we do.
        self._thread = threading.Thread(target=self._follow, name="fast", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._stopping.set()
        self._child.terminate()

    def join(self) -> None:
        """Make sure that it has ended, though it may just have been started again."""
        while self._thread.is_alive():
            stop_children([self._child])
            self._thread.join(LOOK_S)

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "monitor.cli", "worker", "--lane", "fast"]
        return start_child(command, environment=self._environment, orphan_signal=signal.SIGKILL)

    def _follow(self) -> None:
        while True:
            code = self._child.wait()
            if self._stopping.wait(RESTART_S):
                return
            log.error("the fast lane ended with %s; starting it again", code)
            self._child = self._start()


def _fast_worker(store: Store) -> "Worker":
    """Computes S and stores scalars; needs no torch."""
    from monitor.worker.fast import FastLane
    from monitor.worker.loop import Worker

    # One that is started again has the niceness of the samples lane already.
    os.nice(max(0, FAST_NICENESS - os.nice(0)))
    _limit_blas(1)
    return Worker(store, FastLane())


def _samples_worker(settings: Settings, store: Store) -> "Worker":
    """Computes Q and D."""
    # Spinning OpenMP threads make MTCNN's many tiny operations up to ten times slower, and they
    # take the training's cores. It must be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from monitor.worker.evaluators import choose_device, fallen_back, load_evaluators
    from monitor.worker.loop import Worker
    from monitor.worker.memory import keep_freed
    from monitor.worker.samples import SamplesLane

    keep_freed()
    on_cpu = choose_device(settings.device) == "cpu"
    if on_cpu:
        os.nice(NICENESS)
    # Before anything is loaded: the embedder takes as many, also where it falls back to the CPU.
    torch.set_num_threads(_threads(torch.get_num_threads()))
    _limit_blas(torch.get_num_threads())
    evaluators = load_evaluators(settings)
    if not on_cpu and fallen_back(evaluators):
        os.nice(NICENESS)
    # Whoever starts a worker must see what its numbers will come from.
    notices.info("worker: %s", evaluators.said())
    return Worker(store, SamplesLane(evaluators))


def _threads(most: int) -> int:
    """Half of the cores that this process may use, by its affinity and its container's quota; no
    more than torch has by itself, which heeds OMP_NUM_THREADS."""
    from joblib import cpu_count

    half: int = cpu_count() // 2
    return max(1, min(most, half))


def _limit_blas(threads: int) -> None:
    """NumPy's BLAS spins on every core for a while after each product: cores of the training."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads, user_api="blas")


def _work(worker: "Worker", stop_too: Callable[[], None] = lambda: None) -> bool:
    """Work until SIGINT or SIGTERM; False if a job hangs instead."""
    # Handlers only put: an Event set in one that interrupts its own `set` or `wait` never returns.
    told: SimpleQueue[None] = SimpleQueue()

    def stop() -> None:
        told.get()
        worker.stop()
        stop_too()

    threading.Thread(target=stop, name="stop", daemon=True).start()
    _on_signals(lambda: told.put(None))
    return worker.run()


def _leave() -> None:
    """End while loading. An exception would go through C++ that is importing, and abort loudly."""
    os._exit(0)


def _on_signals(action: Callable[[], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: action())
