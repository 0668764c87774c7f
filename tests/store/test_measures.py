"""What a run was measured with, and where that changed."""

from typing import Any

from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.finish import Artifacts
from monitor.store.jobs import JobQueue
from monitor.store.measures import MOST_CHANGES, changes_of
from monitor.store.runs import read_run
from tests.store.posting import START_S, Trainer, finish


def scoring(sha256: str) -> dict[str, Any]:
    return {"evaluator": f"onnx:{sha256}.onnx", "sha256": sha256, "settings": {}}


def provenance(reference: str, **more: Any) -> dict[str, Any]:
    told = {"embedder": "e", "embedder_sha256": "ee", "reference": reference, "modes": 100}
    return {**told, "reference_sha256": reference, "ceiling": 4.6, **more}


def post(queue: JobQueue, trainer: Trainer, row: int, **made_with: Any) -> None:
    cells = {"Q": [Cell(0, 0.5)], "D": [Cell(0, 2.0)]}
    artifacts = Artifacts(**made_with)
    finish(queue, trainer, [row], [100 * row], cells, kind="samples", artifacts=artifacts)


def test_a_change_is_kept_with_its_place_and_both_sides(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    post(queue, trainer, 0, scoring=scoring("a"), provenance=provenance("x"))
    post(queue, trainer, 1, scoring=scoring("a"), provenance=provenance("x"))
    assert changes_of(store, "demo") == read_run(store, "demo").remeasured == []
    post(queue, trainer, 2, scoring=scoring("a"), provenance=provenance("y"))
    post(queue, trainer, 3, scoring=scoring("b"), provenance=provenance("y"))
    first, second = changes_of(store, "demo")
    assert (first.metric, first.ordinal, first.row, first.step) == ("D", 0, 2, 200)
    assert first.time == START_S + 200
    assert (first.before, first.after) == ("e and reference x", "e and reference y")
    assert (second.metric, second.row) == ("Q", 3)
    assert (second.before, second.after) == ("onnx:a.onnx", "onnx:b.onnx")
    record = read_run(store, "demo")
    assert record.remeasured == [first, second]
    assert (record.scoring, record.provenance) == (scoring("b"), provenance("y"))


def test_a_batch_that_measured_nothing_changes_nothing(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    post(queue, trainer, 0, scoring=scoring("a"))
    post(queue, trainer, 1)
    post(queue, trainer, 2, scoring=scoring("a"))
    assert changes_of(store, "demo") == []


def test_what_an_older_worker_did_not_tell_is_no_change(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    older = {"embedder": "e", "embedder_sha256": "ee", "reference": "x", "modes": 100}
    post(queue, trainer, 0, provenance={**older, "ceiling": 4.6})
    post(queue, trainer, 1, provenance=provenance("x"))
    assert changes_of(store, "demo") == []
    post(queue, trainer, 2, provenance=provenance("x", embedder_sha256="ff"))
    assert [change.row for change in changes_of(store, "demo")] == [2]


def test_workers_that_differ_for_ever_take_a_bounded_place(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    for row in range(MOST_CHANGES + 7):
        post(queue, trainer, row, scoring=scoring("ab"[row % 2]))
    rows = [change.row for change in changes_of(store, "demo")]
    assert rows == list(range(7, MOST_CHANGES + 7))
