"""Of Inception's features the companions are FID, KID and IS: torch-fidelity's own numbers."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from monitor.diversity.companions.companion import Sample, Score
from monitor.diversity.companions.inception_score import LEAST_PER_CLASS, InceptionScore
from monitor.diversity.companions.offered import OFFERED
from monitor.errors import EvaluatorError

Array = NDArray[np.float32]


def pooled(n: int, d: int, seed: int) -> Array:
    """(n, d) features as a last ReLU and a mean leave them: above 0, some far, correlated."""
    rng = np.random.default_rng(seed)
    causes = rng.gamma(0.5, size=(n, d // 4)) @ rng.gamma(0.5, size=(d // 4, d))
    return (causes * 0.1 + rng.gamma(0.5, size=(n, d))).astype(np.float32)


def measured(name: str, made: Array, real: Array | None = None, head: Array | None = None) -> Score:
    known = None if real is None else real.astype(np.float64)
    (score,) = OFFERED[name].measure(Sample(made.astype(np.float64), known, head=head)).values()
    return score


@pytest.mark.parametrize("n", [400, 40])
def test_frechet_distance(n: int) -> None:
    made, real = pooled(n, 64, 1), pooled(n, 64, 2) * np.float32(1.2)
    theirs = fid_statistics_to_metric(
        *(fid_features_to_statistics(torch.from_numpy(each)) for each in (made, real)),
        verbose=False,
    )["frechet_inception_distance"]
    # With fewer samples than numbers they take roots of eigenvalues that are 0 but for rounding.
    assert measured("frechet", made, real).value == pytest.approx(
        theirs, rel=1e-6 if n > 64 else 1e-3
    )


def test_kernel_distance() -> None:
    made, real = pooled(300, 64, 3), pooled(300, 64, 4) * np.float32(1.2)
    # One subset that holds everything; their default kernel has s = d too.
    theirs = kid_features_to_metric(
        *map(torch.from_numpy, (made, real)), kid_subsets=1, kid_subset_size=300, verbose=False
    )["kernel_inception_distance_mean"]
    assert theirs > 0.01
    assert measured("kid", made, real).value == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("sharpness", [0.01, 1.0, 10.0])
def test_inception_score(sharpness: float) -> None:
    made = pooled(250, 64, 5)
    head = np.random.default_rng(6).normal(size=(30, 64)).astype(np.float32) * sharpness
    logits = torch.from_numpy(made).double() @ torch.from_numpy(head).double().T
    theirs = isc_features_to_metric(logits, splits=1)["inception_score_mean"]
    score = measured("is", made, head=head)
    assert score.value == pytest.approx(theirs, rel=1e-9)
    assert 1 <= score.value <= 30
    assert score.n == 250


def test_classes_that_a_classifier_is_sure_of() -> None:
    head = np.eye(8, dtype=np.float32) * 2000
    score = measured("is", np.eye(8, dtype=np.float32)[np.arange(400) % 5], head=head)
    # Certain of five classes alike: no sample tells more than another.
    assert score.value == pytest.approx(5)
    assert score.stderr == pytest.approx(0, abs=1e-9)
    assert measured("is", np.ones((9, 8), np.float32), head=head).value == pytest.approx(1)
    assert measured("is", np.ones((1, 8), np.float32), head=head).stderr is None


def test_standard_error_of_the_inception_score() -> None:
    rng = np.random.default_rng(7)
    head, classes = np.eye(20, dtype=np.float32), 10
    n = classes * LEAST_PER_CLASS

    def drawn() -> Score:
        sure = rng.choice([4.0, 9.0], size=(n, 1))
        rows = np.eye(20)[rng.integers(classes, size=n)] * sure
        return measured("is", rows.astype(np.float32), head=head)

    scores = [drawn() for _ in range(300)]
    values = np.array([score.value for score in scores])
    told = np.mean([score.stderr or 0 for score in scores])
    # The spread of 300 values is known to 4%; the delta method leaves out what is of order 1/n.
    assert told == pytest.approx(values.std(), rel=0.25)


def test_bias_where_the_warning_ends() -> None:
    rng = np.random.default_rng(8)
    rows, head = np.eye(20, dtype=np.float32), np.eye(20, dtype=np.float32) * 50
    n = 20 * LEAST_PER_CLASS
    values = [measured("is", rows[rng.integers(20, size=n)], head=head).value for _ in range(200)]
    assert np.mean(values) == pytest.approx(20 * (1 - 19 / (2 * n)), rel=0.005)


@pytest.mark.parametrize(("n", "few"), [(99, True), (100, False)])
def test_few_samples_are_told(n: int, few: bool) -> None:
    # Ten classes alike, but for the 99th sample's.
    rows = np.eye(10, dtype=np.float32)[np.arange(n) % 10]
    score = measured("is", rows, head=np.eye(10, dtype=np.float32) * 30)
    said = f"{n} samples; a score of 10 needs at least 100"
    assert score.warning == (said if few else "")


def test_without_classes() -> None:
    with pytest.raises(EvaluatorError, match="has no classes"):
        InceptionScore().measure(Sample(np.ones((3, 2)), None))
