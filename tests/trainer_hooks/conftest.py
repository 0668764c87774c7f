"""Runs that end with their test, and what they sent."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import trainer_hooks
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from tests.trainer_hooks.mail import Mail
from tests.trainer_hooks.outage import Outage
from trainer_hooks import Run, schedule

Start = Callable[..., Run]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Torch with one thread, so that sums are made in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _no_default_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins without a run of the module-level calls."""
    monkeypatch.setattr(trainer_hooks, "_current", None)


@pytest.fixture
def every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """No snapshot is left out for what it costs: these loops do nothing else, some on a busy
    machine, so that even the whole of their time may be too little."""
    monkeypatch.setattr(schedule, "WARMUP_CALLS", 10**9)


@pytest.fixture
def start() -> Iterator[Start]:
    """`trainer_hooks.start`, whose runs end with the test."""
    runs: list[Run] = []

    def begin(name: str | None = None, **options: Any) -> Run:
        runs.append(trainer_hooks.start(name, **options))
        return runs[-1]

    yield begin
    for run in runs:
        run.finish()


@pytest.fixture
def mail(store: Store, embedded: EmbeddedRedis) -> Mail:
    """The emptied store, and the frames that arrive there."""
    return Mail(store, embedded.redis_url)


@pytest.fixture
def outage() -> Iterator[Outage]:
    """Servers of this test's own, which may die; none runs yet."""
    made = Outage(Path(os.environ["SQD_HOME"]))
    yield made
    made.down()
