"""A metric that is measured with something else: learnt anew, not mistaken for a turn."""

import json

import numpy as np
import pytest

from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.finish import Artifacts
from monitor.store.jobs import JobQueue
from monitor.types import Alert
from monitor.watch.run_watch import RunWatch
from tests.store.posting import Trainer, finish

#: Batches of each part, and steps between them.
EACH, EVERY = 30, 100
HIGH, LOW = 4.2, 2.0


class Process(Trainer):
    """A trainer process that counts its rows from 0."""

    def __init__(self, store: Store, *, resume: bool = False) -> None:
        super().__init__(store, resume=resume)
        self.resumed = resume


def post(
    queue: JobQueue, trainer: Process, first: int, level: float, reference: str, n: int = 500
) -> None:
    """A healthy stretch: Q, and D about a level, from a batch on."""
    noise = np.random.default_rng(first).normal(0, 0.03, EACH)
    made_with = {"embedder": "e", "embedder_sha256": "e", "reference": reference, "modes": 100}
    artifacts = Artifacts(provenance={**made_with, "reference_sha256": reference})
    for i in range(EACH):
        cells = {
            "Q": [Cell(0, 0.9 + noise[i] / 10, 0.01, n)],
            "D": [Cell(0, level + noise[i], 0.02, n)],
        }
        row, step = i if trainer.resumed else first + i, EVERY * (first + i)
        finish(queue, trainer, [row], [step], cells, kind="samples", artifacts=artifacts)


def feed(store: Store, watch: RunWatch) -> list[Alert]:
    alerts = watch.advance(store, 0.0)
    while watch.more:
        alerts += watch.advance(store, 0.0)
    return alerts


@pytest.mark.parametrize("live", [False, True])
def test_another_reference_set_is_no_collapse(store: Store, queue: JobQueue, live: bool) -> None:
    trainer, watch = Process(store), RunWatch("demo")
    alerts = []
    for first, level, reference in ((0, HIGH, "a"), (EACH, LOW, "b"), (2 * EACH, LOW / 3, "b")):
        post(queue, trainer, first, level, reference)
        if live:
            alerts += feed(store, watch)
            watch = RunWatch("demo", json.loads(json.dumps(watch.state())))
    alerts += feed(store, watch)
    # The collapse is one by the new measure.
    [alert] = alerts
    assert (alert.kind, alert.step) == ("mode_collapse", 2 * EACH * EVERY)


def test_a_fall_by_the_same_reference_set_is_one(store: Store, queue: JobQueue) -> None:
    trainer = Process(store)
    post(queue, trainer, 0, HIGH, "a")
    post(queue, trainer, EACH, LOW, "a")
    [alert] = feed(store, RunWatch("demo"))
    assert (alert.kind, alert.step) == ("mode_collapse", EACH * EVERY)


def test_an_alert_whose_metric_is_measured_anew_is_over(store: Store, queue: JobQueue) -> None:
    trainer, watch = Process(store), RunWatch("demo")
    post(queue, trainer, 0, HIGH, "a")
    post(queue, trainer, EACH, LOW, "a")
    [alert] = feed(store, watch)
    assert watch.take_over() == {}
    post(queue, trainer, 2 * EACH, HIGH, "b")
    assert feed(store, watch) == []
    assert watch.take_over().keys() == {alert.id}


@pytest.mark.parametrize(("samples", "kinds"), [(2000, []), (550, ["mode_collapse"])])
def test_a_process_with_batches_of_another_size_has_another_d(
    store: Store, queue: JobQueue, samples: int, kinds: list[str]
) -> None:
    post(queue, Process(store), 0, HIGH, "a")
    post(queue, Process(store, resume=True), EACH, LOW, "a", samples)
    assert [alert.kind for alert in feed(store, RunWatch("demo"))] == kinds


def test_a_smaller_batch_within_a_process_is_what_was_left_over(
    store: Store, queue: JobQueue
) -> None:
    trainer = Process(store)
    post(queue, trainer, 0, HIGH, "a")
    cells = {"D": [Cell(0, HIGH, 0.02, 20)]}
    finish(queue, trainer, [EACH], [EACH * EVERY], cells, kind="samples")
    again = Process(store, resume=True)
    post(queue, again, EACH + 1, LOW, "a")
    assert [alert.kind for alert in feed(store, RunWatch("demo"))] == ["mode_collapse"]
