"""Entropy estimators against 50-digit twins, published vectors, simulation and their laws."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.diversity.entropy import (
    chao_wang_jost_entropy,
    chao_wang_jost_stderr,
    coverage,
    james_stein_entropy,
    james_stein_stderr,
    minimum_samples,
    observed_modes,
)
from monitor.errors import MonitorError
from tests.reference import entropy as reference

#: Identities of the paper's reference set (CelebA), and its sample size.
MODES = 10177
IMAGES = 2000

#: Counts, James–Stein entropy and λ in 50-digit arithmetic (shared/numbers.md).
VECTORS = [
    ([4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1], 2.37960289530996, 0.766393442622951),
    ([50, 30, 15, 4, 1], 1.20947621530102, 0.039112193801597),
    ([1, 0, 0, 0, 0], 1.60943791243410, 1.0),
    ([5, 5, 5, 5], 1.38629436111989, 1.0),
    ([10, 0, 0, 0], 0.0, 0.0),
    ([20] * 100 + [0] * (MODES - 100), 5.03073357580615, 0.0500162257371615),
    ([2] * 1000 + [0] * (MODES - 1000), 8.7086980590208, 0.554206655468957),
]

histograms = st.lists(st.integers(0, 30), min_size=1, max_size=25).filter(any)


def draws(shares: NDArray[np.float64], n: int, times: int) -> NDArray[np.int64]:
    """(times, m) histograms of n images each."""
    return np.random.default_rng(3).multinomial(n, shares / shares.sum(), size=times)


@pytest.mark.parametrize(("counts", "entropy", "shrinkage"), VECTORS)
def test_published_vectors(counts: list[int], entropy: float, shrinkage: float) -> None:
    assert reference.shrinkage(counts) == pytest.approx(shrinkage, abs=1e-13)
    assert reference.james_stein_entropy(counts) == pytest.approx(entropy, abs=1e-13)
    assert james_stein_entropy(counts) == pytest.approx(entropy, abs=1e-12)
    assert math.copysign(1.0, james_stein_entropy(counts)) == 1.0


@given(histograms)
def test_james_stein_agrees_with_its_twin(counts: list[int]) -> None:
    expected = reference.james_stein_entropy(counts)
    assert james_stein_entropy(counts) == pytest.approx(expected, abs=1e-12)
    assert 0.0 <= james_stein_entropy(counts) <= math.log(len(counts)) + 1e-12


@given(histograms)
def test_chao_wang_jost_agrees_with_its_twin(counts: list[int]) -> None:
    expected = reference.chao_wang_jost_entropy(counts)
    assert chao_wang_jost_entropy(counts) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "counts",
    [
        [1] * 500,  # every image a mode of its own: A nearly 0, the tail is long
        [1] + [2] * 40 + [1919],  # (1−A)^n is 1e-34
        [1] + [2] * 20 + [1959],  # 1e-17: the direct form has no digit left
        [1, 2, 2, 2, 700],  # 0.003: just where the series takes over
        [1, 2, 2, 700],  # 0.02: just where it does not
        [1, 1999],  # A = 1: one image apart
        [1],
        [2],
        [1000, 1000],
    ],
)
def test_chao_wang_jost_where_its_formula_cancels(counts: list[int]) -> None:
    expected = reference.chao_wang_jost_entropy(counts, digits=120)
    assert chao_wang_jost_entropy(counts) == pytest.approx(expected, abs=1e-12)


@given(histograms, st.randoms(use_true_random=False))
def test_the_order_of_the_modes_does_not_matter(counts: list[int], random: Any) -> None:
    shuffled = random.sample(counts, len(counts))
    for estimate in (james_stein_entropy, chao_wang_jost_entropy, coverage):
        assert estimate(shuffled) == pytest.approx(estimate(counts), abs=1e-12)
    for stderr in (james_stein_stderr, chao_wang_jost_stderr):
        assert stderr(shuffled) == pytest.approx(stderr(counts), abs=1e-9, nan_ok=True)


@given(histograms, st.integers(1, 50))
def test_only_james_stein_knows_of_empty_modes(counts: list[int], empty: int) -> None:
    more = counts + [0] * empty
    assert chao_wang_jost_entropy(more) == chao_wang_jost_entropy(counts)
    assert coverage(more) == coverage(counts)
    assert observed_modes(more) == observed_modes(counts)
    assert james_stein_entropy(more) >= james_stein_entropy(counts) - 1e-12


@pytest.mark.parametrize(
    ("shares", "james_stein_bias", "chao_wang_jost_bias"),
    [
        # Measured by others: shared/numbers.md.
        (np.repeat(1.0, MODES), 0.0, -0.013),
        (np.repeat(1.0, 1000), 1.175, -0.002),
        (np.repeat(1.0, 100), 0.384, 0.0),
        (1 / np.arange(1.0, MODES + 1), -0.698, -0.236),
        (np.repeat([99.0, 1 / (MODES - 1)], [1, MODES - 1]), -0.063, -0.038),
    ],
    ids=["uniform", "1000 equal", "100 equal", "zipf", "one mode has 99%"],
)
def test_known_biases_against_the_truth(
    shares: NDArray[np.float64], james_stein_bias: float, chao_wang_jost_bias: float
) -> None:
    shares = np.pad(shares, (0, MODES - len(shares))) / shares.sum()
    there = shares[shares > 0]
    truth = -float(there @ np.log(there))
    for estimate, bias in (
        (james_stein_entropy, james_stein_bias),
        (chao_wang_jost_entropy, chao_wang_jost_bias),
    ):
        apart = [estimate(counts) - truth for counts in draws(shares, IMAGES, times=40)]
        # Four times what the mean of so many draws is known to.
        margin = 0.002 + 4 * float(np.std(apart, ddof=1)) / math.sqrt(len(apart))
        assert np.mean(apart) == pytest.approx(bias, abs=margin)
        assert margin < 0.06


@pytest.mark.parametrize(
    ("shares", "n"),
    [
        (1 / np.arange(1.0, 101), 500),
        (1 / np.arange(1.0, 1001), 2000),
        (np.repeat([1.0, 0.0], [20, 80]), 500),
        (np.repeat([99.0, 0.01], [1, 100]), 2000),
    ],
)
@pytest.mark.parametrize(
    ("entropy", "stderr", "most"),
    [
        (james_stein_entropy, james_stein_stderr, 1.5),
        (chao_wang_jost_entropy, chao_wang_jost_stderr, 1.9),
    ],
)
def test_error_bars_are_the_spread_over_batches(
    shares: NDArray[np.float64],
    n: int,
    entropy: Callable[[Any], float],
    stderr: Callable[[Any], float],
    most: float,
) -> None:
    batches = draws(shares, n, times=400)
    spread = float(np.std([entropy(counts) for counts in batches], ddof=1))
    claimed = float(np.mean([stderr(counts) for counts in batches[:40]]))
    # 400 draws know the spread to 4%.
    assert 0.8 * spread < claimed < most * spread


@settings(max_examples=30)
@given(histograms)
def test_jackknife_agrees_with_leaving_out_every_image(counts: list[int]) -> None:
    n = sum(counts)
    if n == 1:
        assert math.isnan(james_stein_stderr(counts))
        assert math.isnan(chao_wang_jost_stderr(counts))
        return
    for entropy, stderr in (
        (reference.james_stein_entropy, james_stein_stderr),
        (reference.chao_wang_jost_entropy, chao_wang_jost_stderr),
    ):
        left_out = np.repeat(
            [
                entropy([c - (i == j) for i, c in enumerate(counts)]) if counts[j] else 0.0
                for j in range(len(counts))
            ],
            counts,
        )
        expected = math.sqrt((n - 1) / n * float(np.square(left_out - left_out.mean()).sum()))
        assert stderr(counts) == pytest.approx(expected, abs=1e-6)


def test_counts_are_left_as_they_were() -> None:
    counts = np.array([3, 1, 0, 2])
    for estimate in (james_stein_stderr, chao_wang_jost_stderr, james_stein_entropy):
        estimate(counts)
    assert counts.tolist() == [3, 1, 0, 2]


def test_what_was_seen_and_what_was_not() -> None:
    assert coverage([1, 1, 2, 0, 6]) == pytest.approx(0.8)
    assert coverage([1, 1]) == 0.0
    assert observed_modes([1, 1, 2, 0, 6]) == 4


@pytest.mark.parametrize(("modes", "least"), [(1, 1), (2, 3), (100, 22), (MODES, 1103)])
def test_fewest_images_for_an_entropy(modes: int, least: int) -> None:
    assert minimum_samples(modes) == least


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([0, 0, 0], "0 images"),
        ([], "0 images"),
        ([3, -1], "none below 0"),
        ([0.5, 0.5], "whole numbers"),
        ([math.nan, 1.0], "whole numbers"),
        ([math.inf, 1.0], "whole numbers"),
        ([[1, 2]], r"shape \(1, 2\)"),
        (["a"], "whole numbers"),
        ([2**63, 2**63], "fewer than"),
        ([1e300, 3e300], "fewer than"),
    ],
)
def test_what_is_no_histogram_is_refused(counts: Any, message: str) -> None:
    for estimate in (james_stein_entropy, james_stein_stderr, chao_wang_jost_entropy, coverage):
        with pytest.raises(MonitorError, match=message):
            estimate(counts)
