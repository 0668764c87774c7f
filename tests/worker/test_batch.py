"""Q and D of a batch, however it was cut into chunks; or why they cannot be told."""

import dataclasses
import functools
import json
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.store.blocks import Block, Cell, Rows
from monitor.worker import batch
from monitor.worker.batch import add_points
from monitor.worker.partial import MIXED, MIXED_SCORES, Partial
from monitor.worker.pipeline import Evaluators, evaluate_chunk
from monitor.worker.sample_frames import SamplesFrame
from tests.reference.batch import nearest, scores
from tests.worker.laboratory import (
    MODE_LEVEL,
    MODES,
    Painted,
    evaluators,
    painted,
    without_reference,
)

DRAWN = np.random.default_rng(1)
#: 40 images: probabilities out of 200, a quarter without a face, and modes.
PROBABILITIES = DRAWN.integers(0, 200, 40) * (DRAWN.random(40) > 0.25)
BATCH_MODES = DRAWN.integers(0, MODES, 40)


def chunk(samples: NDArray[Any], *, part: int = 0, last: bool = True, nonfinite: int = 0,
          clipped: int = 0, failure: str = "") -> SamplesFrame:  # fmt: skip
    rows = Rows.one(0, 0, None, 0.0)
    return SamplesFrame(rows, part, last, samples, nonfinite, clipped, failure)


def points(
    partials: Sequence[Partial], with_: Evaluators
) -> tuple[dict[str, Cell], dict[str, Any]]:
    """Cells by metric, and the mode histogram."""
    whole = functools.reduce(operator.add, partials, Partial())
    block = Block("demo", "segment", "samples", Rows.one(0, 0, None, 0.0))
    modes = add_points(block, whole, with_)
    cells = {metric: cell for metric, (cell,) in block.cells.items()}
    return cells, json.loads(modes) if modes else {}


def evaluate(*chunks: SamplesFrame, with_: Evaluators | None = None) -> dict[str, Cell]:
    by = with_ or evaluators()
    return points([evaluate_chunk(each, by) for each in chunks], by)[0]


def test_batch_by_the_definition() -> None:
    found = evaluate(chunk(painted(PROBABILITIES, BATCH_MODES)))
    centroids = [(float(MODE_LEVEL * mode),) * 2 for mode in range(MODES)]
    features = [(float(MODE_LEVEL * mode),) * 2 for mode in BATCH_MODES]
    assigned = [nearest(feature, centroids) for feature in features]
    expected = scores([float(np.float32(p / 200)) for p in PROBABILITIES], assigned, MODES)
    quality, diversity = found["Q"], found["D"]
    assert (quality.status, quality.n, diversity.status, diversity.n) == ("ok", 40, "ok", 40)
    assert quality.value == pytest.approx(expected.quality, rel=1e-12)
    assert quality.stderr == pytest.approx(expected.quality_stderr, rel=1e-9)
    assert diversity.value == pytest.approx(expected.diversity, rel=1e-12)
    assert found["D.unaligned"].value == pytest.approx(expected.unaligned, rel=1e-12)
    assert found["D.modes"].value == len(set(BATCH_MODES.tolist()))
    assert set(found) == {"Q", "D", "D.cwj", "D.modes", "D.coverage", "D.unaligned"}


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(40)), st.sets(st.integers(1, 39)))
def test_order_and_cuts_make_no_difference(order: list[int], cuts: set[int]) -> None:
    images = painted(PROBABILITIES, BATCH_MODES)
    whole = evaluate(chunk(images))
    pieces = np.split(images[order], sorted(cuts))
    parts = [
        evaluate_chunk(chunk(piece, part=part, last=part == len(cuts)), evaluators())
        for part, piece in enumerate(pieces)
    ]
    # As they travel: through bytes.
    found, _ = points([Partial.decode(part.encode()) for part in parts], evaluators())
    assert found.keys() == whole.keys()
    for metric, cell in whole.items():
        assert found[metric].value == pytest.approx(cell.value, rel=1e-12)
        assert (found[metric].stderr or 0.0) == pytest.approx(cell.stderr or 0.0, rel=1e-9)
        assert (found[metric].n, found[metric].status) == (cell.n, cell.status)


@pytest.mark.parametrize(
    ("counts", "entropy"),
    [
        ([4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1], 2.37960289530996),
        ([50, 30, 15, 4, 1], 1.20947621530102),
        ([5, 5, 5, 5], 1.38629436111989),
        ([10, 0, 0, 0], 0.0),
        ([20] * 100 + [0] * 10077, 5.03073357580615),
        ([2] * 1000 + [0] * 9177, 8.7086980590208),
    ],
    ids=lambda value: str(value)[:20],
)
def test_vectors_of_the_paper_reach_the_stored_point(counts: list[int], entropy: float) -> None:
    by = evaluators(modes=len(counts))
    whole = Partial(n=sum(counts), values=1, modes={i: n for i, n in enumerate(counts) if n})
    found, _ = points([whole], by)
    assert found["D"].value == pytest.approx(entropy, rel=1e-12, abs=1e-12)


def test_too_few_samples_for_the_modes() -> None:
    few = slice(0, 4)
    found = evaluate(chunk(painted(PROBABILITIES[few], BATCH_MODES[few])))
    assert found["Q"].status == "ok"
    assert (found["D"].status, found["D"].n) == ("insufficient", 4)
    assert found["D"].reason == "4 samples; 12 modes need at least 5"
    assert found["D"].value is not None


def test_single_sample_has_no_standard_error() -> None:
    found = evaluate(chunk(painted([100], [3])))
    assert found["Q"] == Cell(0, 0.5)
    assert found["D"].stderr is None
    assert found["D"].value == pytest.approx(math.log(MODES))


@pytest.mark.parametrize(
    ("header", "status", "reason"),
    [
        ({"nonfinite": 7}, "nonfinite", "7 of 30720 values of the samples are NaN or Inf"),
        ({"clipped": 3072}, "failed", "10% of the values lie outside value_range"),
        ({"failure": "the callable raised"}, "failed", "the callable raised"),
    ],
)
def test_bad_batch_fails_both_and_says_why(
    header: dict[str, Any], status: str, reason: str
) -> None:
    by = evaluators()
    bad = evaluate_chunk(chunk(painted(PROBABILITIES, BATCH_MODES), **header), by)
    found, modes = points([bad], by)
    assert set(found) == {"Q", "D"}
    for cell in found.values():
        assert (cell.value, cell.status) == (None, status)
        assert reason in cell.reason
    assert modes == {}


def test_one_bad_chunk_fails_the_batch() -> None:
    images = painted(PROBABILITIES, BATCH_MODES)
    found = evaluate(chunk(images[:20], last=False), chunk(images[20:], part=1, nonfinite=1))
    assert {cell.status for cell in found.values()} == {"nonfinite"}


def test_few_clipped_values_are_no_wrong_range() -> None:
    found = evaluate(chunk(painted(PROBABILITIES, BATCH_MODES), clipped=1536))
    assert found["Q"].status == "ok"


def test_batch_of_which_nothing_arrived() -> None:
    found = evaluate(chunk(np.zeros((0, 1, 1, 1), np.uint8)))
    for metric in ("Q", "D"):
        assert found[metric].status == "failed"
        assert found[metric].reason == "every sample of the batch was dropped before it was sent"


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros((3, 8), np.float32), r"float32 \(8,\)"),
        (np.zeros((3, 4, 16, 16), np.uint8), r"uint8 \(4, 16, 16\)"),
        (np.zeros((3, 2, 16, 16), np.uint8), r"uint8 \(2, 16, 16\)"),
        (np.zeros((3, 16, 16), np.uint8), r"uint8 \(16, 16\)"),
        (np.zeros((3, 1, 0, 16), np.uint8), r"uint8 \(1, 0, 16\)"),
        (np.zeros((3, 1, 4, 4, 4), np.uint8), r"uint8 \(1, 4, 4, 4\)"),
        (np.zeros((3, 3, 16, 16), np.float32), r"float32 \(3, 16, 16\)"),
    ],
)
def test_what_is_no_image_fails_with_its_shape(samples: NDArray[Any], said: str) -> None:
    found = evaluate(chunk(samples))
    for metric in ("Q", "D"):
        assert found[metric].status == "failed"
        with pytest.raises(AssertionError, match=said):
            raise AssertionError(found[metric].reason)


def test_grey_is_colour_three_times() -> None:
    grey = painted(PROBABILITIES, BATCH_MODES)[:, :1]
    colour = np.repeat(grey, 3, axis=1)
    assert evaluate(chunk(grey)) == evaluate(chunk(colour))


def test_detector_that_refuses_fails_both() -> None:
    found = evaluate(chunk(painted([1], [1])), with_=evaluators(failure="images are 4×4"))
    assert found["Q"] == Cell(0, None, status="failed", reason="images are 4×4")
    assert found["D"] == Cell(0, None, status="failed", reason="images are 4×4")


def test_embedder_that_fails_leaves_quality() -> None:
    by = evaluators(failing_embedder=True)
    found = evaluate(chunk(painted(PROBABILITIES, BATCH_MODES)), with_=by)
    assert found["Q"].status == "ok"
    assert found["D"].status == "failed"
    assert "not finite" in found["D"].reason


def test_without_reference_diversity_says_so_and_quality_goes_on() -> None:
    found = evaluate(chunk(painted(PROBABILITIES, BATCH_MODES)), with_=without_reference())
    assert found["Q"].status == "ok"
    assert found["D"] == Cell(0, None, n=40, status="failed", reason="no reference set")


def test_workers_that_measure_differently_do_not_add_up() -> None:
    images = painted(PROBABILITIES, BATCH_MODES)
    first = evaluate_chunk(chunk(images[:20], last=False), evaluators())
    second = evaluate_chunk(chunk(images[20:], part=1), evaluators(name="another", modes=40))
    found, modes = points([first, second], evaluators())
    assert found["Q"].status == "ok"
    assert (found["D"].status, found["D"].reason, modes) == ("failed", MIXED, {})


@pytest.mark.parametrize("modes", [MODES, MODES + 30])
def test_sets_of_one_name_do_not_add_up_unless_they_are_the_same(modes: int) -> None:
    """One was built anew while a worker ran that had read the old one."""
    images = painted(PROBABILITIES, BATCH_MODES)
    old, new = evaluators(), evaluators(modes=modes)
    assert new.reference is not None
    rebuilt = dataclasses.replace(new.reference, centroids=new.reference.centroids[::-1].copy())
    new = dataclasses.replace(new, reference=rebuilt)
    first = evaluate_chunk(chunk(images[:20], last=False), new)
    for last in (chunk(images[20:], part=1), chunk(images[:0], part=1)):
        found, modes_of = points([first, evaluate_chunk(last, old)], old)
        assert (found["D"].status, found["D"].reason, modes_of) == ("failed", MIXED, {})
        found, _ = points([first, evaluate_chunk(last, new)], new)
        assert found["D"].status == "ok"


def test_only_the_first_chunk_brings_a_picture() -> None:
    images = painted(PROBABILITIES, BATCH_MODES)
    first = evaluate_chunk(chunk(images[:20], last=False), evaluators())
    second = evaluate_chunk(chunk(images[20:], part=1), evaluators())
    assert bytes.fromhex(first.grid)[8:12] == b"WEBP"
    assert second.grid == ""
    assert (first + second).grid == (second + first).grid == first.grid


def test_bad_batch_costs_no_evaluation() -> None:
    by = evaluators(detector=(detector := Painted()))
    evaluate(chunk(painted([1], [1]), nonfinite=1), with_=by)
    evaluate(chunk(painted([1], [1]), failure="no"), with_=by)
    assert detector.seen == 0


def test_faces_are_looked_for_once_for_both_metrics() -> None:
    by = evaluators(detector=(detector := Painted()))
    evaluate(chunk(painted(PROBABILITIES, BATCH_MODES)), with_=by)
    assert detector.seen == len(PROBABILITIES)


def test_workers_that_score_differently_do_not_add_up() -> None:
    images = painted(PROBABILITIES, BATCH_MODES)
    by = evaluators()
    first = evaluate_chunk(chunk(images[:20], last=False), by)
    second = evaluate_chunk(chunk(images[20:], part=1), by)
    found, _ = points([first, dataclasses.replace(second, scored_with="onnx:net.onnx")], by)
    assert (found["Q"].status, found["Q"].reason) == ("failed", MIXED_SCORES)
    assert found["D"].status == "ok"


def test_histogram_tells_counts_and_extremes() -> None:
    by = evaluators()
    whole = Partial(n=24, values=1, modes={0: 20, 5: 4})
    _, modes = points([whole], by)
    assert modes["counts"] == [20, 0, 0, 0, 0, 4] + [0] * 6
    assert (modes["n"], modes["expected"], modes["modes"]) == (24, 2.0, MODES)
    assert (modes["embedder"], modes["reference"]) == ("colour", "painted")
    assert modes["over_represented"][0] == {
        "mode": 0, "label": "level 0", "count": 20, "expected": 2.0,
    }  # fmt: skip
    assert modes["under_represented"][0]["mode"] == 1
    assert modes["under_represented"][0]["count"] == 0
    assert modes["labels"] == [f"level {mode}" for mode in range(MODES)]


def test_modes_as_often_as_expected_are_no_extremes() -> None:
    flat = dict.fromkeys(range(MODES), 2)
    _, even = points([Partial(n=2 * MODES, values=1, modes=flat)], evaluators())
    assert even["over_represented"] == even["under_represented"] == []
    _, bent = points([Partial(n=2 * MODES, values=1, modes=flat | {3: 3, 4: 1})], evaluators())
    assert [found["mode"] for found in bent["over_represented"]] == [3]
    assert [found["mode"] for found in bent["under_represented"]] == [4]


def test_labels_of_very_many_modes_do_not_go_with_each_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch, "MOST_LABELS", MODES - 1)
    _, modes = points([Partial(n=24, values=1, modes={0: 20, 5: 4})], evaluators())
    assert modes["labels"] is None
    assert modes["over_represented"][0]["label"] == "level 0"


def test_partial_survives_its_bytes() -> None:
    whole = Partial(3, 4, 5, 6, 0.1 + 0.2, 1e-17, {7: 8}, 9, "a", "b", "ü😀", "d", "0f", "q")
    assert Partial.decode(whole.encode()) == whole
    assert dataclasses.astuple(whole + Partial()) == dataclasses.astuple(whole)
