"""Run one worker: computes S, Q and D of what trainers push. Start as many as you like."""

import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    BlobUrl,
    Device,
    Embedder,
    Home,
    Quality,
    RedisUrl,
    Reference,
    Verbose,
)
from monitor.config import Settings, load_settings
from monitor.errors import SettingsError
from monitor.logs import configure
from monitor.process import start_child, stop_children
from monitor.store.connection import Store, open_store
from trainer_hooks.keys import LANES

if TYPE_CHECKING:
    from monitor.worker.loop import Worker

NAME = "worker"
#: On a CPU the samples lane yields to the training (issue 4, point 7).
NICENESS = 10

Lane = Annotated[str, typer.Option(help="fast (S, scalars), samples (Q, D) or both.")]


def run(
    redis_url: RedisUrl = None,
    blob_url: BlobUrl = None,
    home: Home = None,
    device: Device = None,
    quality: Quality = None,
    embedder: Embedder = None,
    reference: Reference = None,
    lane: Lane = "both",
    verbose: Verbose = False,
) -> None:
    configure(verbose=verbose)
    settings = load_settings(
        redis_url=redis_url,
        blob_url=blob_url,
        home=home,
        device=device,
        quality=quality,
        embedder=embedder,
        reference=reference,
    )
    if lane not in (*LANES, "both"):
        raise SettingsError(f"lane is {lane!r}; expected fast, samples or both")
    store = open_store(*settings.found_redis())
    store.ping()
    if lane == "fast":
        work_fast(store)
    elif lane == "samples":
        work_samples(settings, store)
    else:
        # The same command for the other lane, in a process of its own (see worker/loop.py).
        fast = start_child([sys.executable, "-m", "monitor.cli", *sys.argv[1:], "--lane", "fast"])
        try:
            work_samples(settings, store)
        finally:
            stop_children([fast])


def work_fast(store: Store) -> None:
    """Compute S and store scalars until SIGINT or SIGTERM; needs no torch."""
    from monitor.worker.fast import FastLane
    from monitor.worker.loop import Worker

    _until_signal(Worker(store, FastLane()))


def work_samples(settings: Settings, store: Store) -> None:
    """Compute Q and D until SIGINT or SIGTERM."""
    # Spinning OpenMP threads make MTCNN's many tiny operations up to ten times slower, and they
    # take the training's cores. It must be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from monitor.worker.evaluators import choose_device, load_evaluators
    from monitor.worker.loop import Worker
    from monitor.worker.samples import SamplesLane

    if choose_device(settings.device) == "cpu":
        os.nice(NICENESS)
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    _until_signal(Worker(store, SamplesLane(partial(load_evaluators, settings))))


def _until_signal(worker: "Worker") -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()
