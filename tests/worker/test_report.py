"""What a worker logs of itself."""

import logging

import numpy as np
import pytest

from monitor.store.connection import Store
from monitor.worker import report
from monitor.worker.loop import Worker
from monitor.worker.report import Report
from monitor.worker.samples import SamplesLane
from tests.store.posting import Trainer, samples_frame
from tests.worker.laboratory import evaluators, painted


def test_line_tells_what_waits_and_how_far_behind(store: Store) -> None:
    trainer = Trainer(store)
    worker = Worker(store, SamplesLane(evaluators()))
    worker.ready()
    for row in range(3):
        trainer.post(samples_frame(painted([1], [1]), seq=row))
    worker.step(wait_ms=1)
    found = Report("samples", "samples").line(store, {"demo"}, {"images_per_s": "71.0"})
    assert found.startswith("lane samples: 2 jobs wait, run 'demo' is 200 steps (")
    assert found.endswith(" s) behind, 0 chunks skipped, 71.0 images/s")
    gone = Report("fast", "weights").line(store, {"gone"}, {})
    assert gone == "lane fast: 0 jobs wait"


def test_only_when_due_read_and_worked(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trainer(store).post(samples_frame(np.zeros((1, 2), np.float32)))
    monkeypatch.setattr(report, "EVERY_S", 0.0)
    due = Report("samples", "samples")
    monkeypatch.setattr(report, "EVERY_S", 1e6)
    later = Report("samples", "samples")
    with caplog.at_level(logging.WARNING, "monitor"):
        due.worked("demo")
        due.tend(store, {})
    with caplog.at_level(logging.INFO, "monitor"):
        later.worked("demo")
        later.tend(store, {})
        assert caplog.messages == []
        due.tend(store, {})
        due.tend(store, {})
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("lane samples: 1 jobs wait, run 'demo' is ")
