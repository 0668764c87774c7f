"""A run that has ended, with everything a run can have, and its archive."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.cli.import_ import SHOW
from monitor.store.archive.importing import import_run
from monitor.store.archive.writing import archive_run
from monitor.store.connection import Store
from monitor.store.jobs import JobQueue
from monitor.store.runs import RunRecord
from tests.store.test_deletion import fill
from trainer_hooks import keys

Ended = Callable[[str], str]


@pytest.fixture
def ended(store: Store, queue: JobQueue) -> Ended:
    """Makes a run that has ended."""

    def make(run: str) -> str:
        image: Any = np.zeros((1, 1, 16, 16), np.uint8)
        trainer = fill(store, queue, image, run)
        trainer.beat(G=3, finished=True)
        segment = trainer.segment
        store.data.hset(keys.members(run), f"{segment}.1", "process")
        store.data.hset(keys.control(run), "stop.segment", "another")
        store.data.set(keys.settled_calls(run, segment, "G", 0, 0), b"\x80\0\xff")
        store.data.zadd(keys.waiting_rows(run, segment), {b"a": 1.5, b"b": 1.5, b"\xff": 7})
        return run

    return make


@pytest.fixture
def archive(store: Store, ended: Ended, tmp_path: Path) -> Path:
    """The archive of a run called ``demo``, which is still there."""
    path = tmp_path / "demo.sqdrun"
    archive_run(store, ended("demo"), path)
    return path


def restored(store: Store, path: Path) -> RunRecord:
    """Import an archive as the command does."""
    return import_run(store, path, SHOW)
