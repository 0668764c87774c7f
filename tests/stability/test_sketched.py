"""Angles from sketches: their mean, their spread and the error bar that claims to know it."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.errors import WeightsError
from monitor.stability import AngleTerms, TensorSketch, sketch_stderr, sketched_angle, weight_angle

Vector = NDArray[np.float32]


def projected(x: Vector, buckets: int, seed: int) -> TensorSketch:
    """Signed block sums: x padded to (rows, buckets), random signs, summed over the rows."""
    if len(x) <= buckets:
        return TensorSketch(x, exact=True)
    rows = -(-len(x) // buckets)
    padded = np.zeros(rows * buckets, np.float32)
    padded[: len(x)] = x
    signs = np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), rows * buckets)
    summed = (padded * signs).reshape(rows, buckets).sum(axis=0)
    return TensorSketch(summed.astype(np.float32), exact=False)


def step(sizes: tuple[int, ...], change: float) -> tuple[list[Vector], list[Vector]]:
    """A network of tensors of different scales, and the same after one step."""
    rng = np.random.default_rng(5)
    before = [(rng.standard_normal(n) / (i + 1)).astype(np.float32) for i, n in enumerate(sizes)]
    moves = [change * (i + 1) * rng.standard_normal(len(w)) for i, w in enumerate(before)]
    return before, [(w + move).astype(np.float32) for w, move in zip(before, moves, strict=True)]


@pytest.mark.parametrize(
    ("sizes", "buckets", "change"),
    [((20_000, 5_000, 100), 256, 1e-3), ((9_000,), 128, 1e-2), ((3_000, 3_000), 64, 1e-4)],
)
def test_error_bar_is_the_spread_over_signs(
    sizes: tuple[int, ...], buckets: int, change: float
) -> None:
    before, after = step(sizes, change)
    truth = weight_angle(np.concatenate(before), np.concatenate(after))
    found = [
        sketched_angle(
            [projected(w, buckets, seed + i) for i, w in enumerate(before)],
            [projected(w, buckets, seed + i) for i, w in enumerate(after)],
        )
        for seed in range(0, 4000, 10)
    ]
    angles = np.array([result.network.angle() for result in found])
    stderr = float(np.mean([result.stderr for result in found]))
    assert float(angles.std(ddof=1)) == pytest.approx(stderr, rel=0.25)
    # The mean of 400 draws is within four of its own standard errors, plus the 1/k bias.
    assert abs(float(angles.mean()) - truth) < 4 * stderr / math.sqrt(400) + truth / buckets


def test_exact_tensors_have_no_error() -> None:
    before, after = step((50, 60), 1e-3)
    result = sketched_angle(
        [TensorSketch(w, exact=True) for w in before], [TensorSketch(w, exact=True) for w in after]
    )
    assert result.stderr == 0.0
    whole = weight_angle(np.concatenate(before), np.concatenate(after))
    assert result.network.angle() == pytest.approx(whole, rel=1e-12)
    for terms, w, v in zip(result.tensors, before, after, strict=True):
        assert terms.angle() == pytest.approx(weight_angle(w, v), rel=1e-12)


def test_error_bar_follows_its_formula() -> None:
    # One tensor, d ⟂ w: (σ/θ)² = ¼(2/k + 2/k), so σ = θ/√k.
    terms = AngleTerms(dot=0.0, weight_square=4.0, change_square=4e-6)
    assert sketch_stderr([terms], [100]) == pytest.approx(terms.angle() / 10)
    # Four alike: each carries a sixteenth of the variance, so σ halves.
    assert sketch_stderr([terms] * 4, [100] * 4) == pytest.approx(terms.angle() / 20)
    assert sketch_stderr([terms, terms], [None, None]) == 0.0


def test_no_change_is_angle_zero_without_error() -> None:
    sketch = projected(np.arange(1000, dtype=np.float32), 64, seed=1)
    result = sketched_angle([sketch], [sketch])
    assert result.network.angle() == 0.0
    assert result.stderr == 0.0


def test_nonfinite_sketch_has_no_angle_and_no_error() -> None:
    broken = TensorSketch(np.array([1.0, np.nan], np.float32), exact=False)
    result = sketched_angle([broken], [broken])
    assert not result.network.finite
    assert math.isnan(result.stderr)


def test_layouts_must_match() -> None:
    short, long = (TensorSketch(np.ones(n, np.float32), exact=False) for n in (4, 8))
    with pytest.raises(WeightsError, match="layouts"):
        sketched_angle([short], [long])
    with pytest.raises(WeightsError, match="layouts"):
        sketched_angle([short], [TensorSketch(short.values, exact=True)])
    with pytest.raises(WeightsError, match="are empty"):
        sketched_angle([], [])
