"""The companions of a batch, however it was cut; or why they cannot be told."""

import dataclasses
import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.diversity.companions.companion import Sample
from monitor.diversity.companions.offered import OFFERED
from monitor.evaluators.faces import FaceFeatures
from monitor.store.blocks import Block, Cell, Rows
from monitor.worker import companions as companions_module
from monitor.worker.batch import add_points
from monitor.worker.chosen import Chosen, chosen_by
from monitor.worker.partial import MIXED, Partial
from monitor.worker.pipeline import Evaluators, evaluate_chunk
from monitor.worker.sample_frames import SamplesFrame
from tests.worker.laboratory import (
    HEAD,
    MODE_LEVEL,
    MODES,
    Painted,
    embedder_alone,
    evaluators,
    painted,
    without_reference,
)

ROWS = Rows.one(0, 0, None, 0.0)
DRAWN = np.random.default_rng(3)
MODES_DRAWN = DRAWN.integers(0, MODES, 200)
IMAGES = painted(DRAWN.integers(1, 200, 200), MODES_DRAWN)
#: What a reference of the same colours keeps; off the grid, so that no two distances are equal.
KEPT = (DRAWN.integers(0, MODES, (150, 1)) * MODE_LEVEL + DRAWN.normal(size=(150, 2))).astype(
    np.float32
)
ALL = chosen_by({"metrics": ["Q", "D", *OFFERED]})


def evaluate(
    pieces: Sequence[NDArray[Any]], by: Evaluators, chosen: Chosen = ALL, **header: Any
) -> dict[str, Cell]:
    about = {"nonfinite": 0, "clipped": 0, "failure": "", **header}
    parts = [
        evaluate_chunk(SamplesFrame(ROWS, part, False, piece, **about), by, chosen)
        for part, piece in enumerate(pieces)
    ]
    return points([Partial.decode(part.encode()) for part in parts], by, chosen)


def points(parts: Sequence[Partial], by: Evaluators, chosen: Chosen = ALL) -> dict[str, Cell]:
    block = Block("demo", "segment", "samples", ROWS)
    add_points(block, functools.reduce(operator.add, parts, Partial()), by, chosen)
    return {metric: cell for metric, (cell,) in block.cells.items()}


def companions(found: dict[str, Cell], *, but: tuple[str, ...] = ()) -> dict[str, Cell]:
    return {m: found[m] for c in OFFERED.values() for m in c.metrics if c.name not in but}


def test_values_are_those_of_the_features() -> None:
    found = evaluate([IMAGES], evaluators(features=KEPT))
    colours = np.repeat(MODES_DRAWN[:, None] * float(MODE_LEVEL), 2, axis=1)
    sample = Sample(colours, KEPT.astype(np.float64), head=HEAD)
    for companion in OFFERED.values():
        for metric, score in companion.measure(sample).items():
            cell = found[metric]
            assert cell.value == pytest.approx(score.value, rel=1e-3, abs=1e-3)
            assert (cell.n, cell.status) == (200, "insufficient" if score.warning else "ok")


@pytest.mark.parametrize("cuts", [[1], [50, 120], list(range(1, 200, 9))])
def test_order_and_cuts_make_no_difference(cuts: list[int]) -> None:
    by = evaluators(features=KEPT)
    whole = evaluate([IMAGES], by)
    found = evaluate(np.split(np.random.default_rng(4).permutation(IMAGES), cuts), by)
    assert found.keys() == whole.keys()
    for metric, cell in whole.items():
        assert found[metric].value == pytest.approx(cell.value, rel=1e-9, abs=1e-9)
        assert (found[metric].stderr or 0) == pytest.approx(cell.stderr or 0, rel=1e-6)
        assert (found[metric].n, found[metric].status) == (cell.n, cell.status)


def test_many_small_chunks_bring_no_more_than_may_be_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(companions_module, "MOST_FEATURES", 50)
    found = evaluate(np.split(IMAGES, 100), evaluators(features=KEPT))
    assert {cell.n for cell in companions(found).values()} == {50}


def test_without_being_asked_nothing_is_carried() -> None:
    by = evaluators(features=KEPT)
    assert evaluate_chunk(SamplesFrame(ROWS, 0, True, IMAGES, 0, 0, ""), by).features == []
    assert not set(evaluate([IMAGES], by, Chosen())) & set(companions(evaluate([IMAGES], by)))


def test_only_what_was_chosen_is_computed() -> None:
    by = evaluators(features=KEPT, detector=(detector := Painted()))
    assert set(evaluate([IMAGES], by, chosen_by({"metrics": ["kid"]}))) == {"D.kid"}
    assert set(evaluate([IMAGES], by, chosen_by({"metrics": ["Q"]}))) == {"Q"}
    seen = detector.seen
    assert evaluate([IMAGES], by, chosen_by({"metrics": ["S"]})) == {}
    assert detector.seen == seen


def test_reference_without_features() -> None:
    found = evaluate([IMAGES], evaluators())
    assert {found[metric].status for metric in ("D", "D.vendi", "D.is")} == {"ok"}
    for cell in companions(found, but=("vendi", "is")).values():
        assert (cell.value, cell.status) == (None, "failed")
        assert cell.reason == (
            "reference 'painted' keeps no features to compare with: build it again with "
            "`sqd reference build`"
        )


def test_vendi_and_inception_score_need_no_reference() -> None:
    found = evaluate([IMAGES], embedder_alone())
    assert found["D"] == Cell(0, None, n=200, status="failed", reason="no reference set")
    assert (found["D.vendi"].status, found["D.is"].status) == ("ok", "ok")
    assert found["D.kid"].reason == "no reference set"


def test_inception_score_needs_classes_and_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    by = evaluators(features=KEPT)
    assert by.reference is not None
    unit = dataclasses.replace(by, reference=dataclasses.replace(by.reference, normalised=True))
    cell = evaluate([IMAGES], unit)["D.is"]
    assert (cell.value, cell.status) == (None, "failed")
    assert "build it again with `sqd reference build --no-normalise`" in cell.reason
    monkeypatch.setattr(by.embedder, "head", FaceFeatures.head)
    cell = evaluate([IMAGES], by)["D.is"]
    assert (cell.value, cell.n, cell.status) == (None, 200, "failed")
    assert cell.reason == (
        "this worker's embedder has no classes; start it with --embedder inception:WEIGHTS.pth"
    )


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (without_reference(), "no reference set"),
        (evaluators(failing_embedder=True), "not finite"),
        (evaluators(failure="images are 4×4"), "images are 4×4"),
    ],
)
def test_without_features_all_say_why(by: Evaluators, reason: str) -> None:
    for cell in companions(evaluate([IMAGES], by)).values():
        assert (cell.value, cell.status) == (None, "failed")
        assert reason in cell.reason


def test_bad_batch_fails_them_too() -> None:
    for cell in evaluate([IMAGES], evaluators(features=KEPT), nonfinite=1).values():
        assert (cell.value, cell.status) == (None, "nonfinite")


def test_too_few_samples() -> None:
    found = evaluate([IMAGES[:4]], evaluators(features=KEPT))
    assert found["D.kid"].status == "insufficient"
    assert found["D.kid"].reason == "4 samples; at least 100 are needed"
    assert found["D.recall"].status == "failed"
    assert "5 neighbours" in found["D.recall"].reason


def test_the_largest_features_have_finite_scores() -> None:
    found = evaluate([IMAGES], evaluators(features=np.full((120, 2), 3e38, np.float32)))
    assert all(np.isfinite(cell.value or np.nan) for cell in (found["D.kid"], found["D.frechet"]))
    assert all(cell.stderr is None or np.isfinite(cell.stderr) for cell in found.values())


def test_workers_that_embed_differently_do_not_add_up() -> None:
    frames = [SamplesFrame(ROWS, i, False, IMAGES[i::2], 0, 0, "") for i in range(2)]
    by, other = evaluators(features=KEPT), evaluators(name="another", features=KEPT)
    parts = [evaluate_chunk(frames[0], by, ALL), evaluate_chunk(frames[1], other, ALL)]
    assert {cell.reason for cell in companions(points(parts, by)).values()} == {MIXED}
