"""The companions of D against naive twins, where the truth is known, and with too few samples."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from prdc import compute_prdc

from monitor.diversity.companions.companion import Sample, Score
from monitor.diversity.companions.neighbours import NEIGHBOURS
from monitor.diversity.companions.offered import OFFERED
from monitor.diversity.reference import unit_length
from monitor.errors import ReferenceError
from tests.reference import companions as twin

Features = NDArray[np.float64]


def drawn(n: int, d: int, seed: int, shift: float = 0.0) -> Features:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def measured(name: str, features: Features, reference: Features | None,
             normalised: bool = False, head: Features | None = None
) -> dict[str, Score]:  # fmt: skip
    classes = None if head is None else head.astype(np.float32)
    return OFFERED[name].measure(Sample(features, reference, "there is none", normalised, classes))


@pytest.mark.parametrize("shift", [0.0, 0.7])
@pytest.mark.parametrize(("n", "r", "d"), [(40, 31, 3), (25, 60, 6), (7, 9, 12)])
def test_each_agrees_with_its_twin(n: int, r: int, d: int, shift: float) -> None:
    made, real = drawn(n, d, 1, shift), drawn(r, d, 2)
    rows, known = made.tolist(), real.tolist()
    prdc = measured("prdc", made, real)
    assert [score.value for score in prdc.values()] == pytest.approx(
        twin.prdc(known, rows, NEIGHBOURS), rel=1e-12
    )
    kid = measured("kid", made, real)["D.kid"]
    assert kid.value == pytest.approx(twin.kid(known, rows, d), rel=1e-9, abs=1e-12)
    assert kid.stderr == pytest.approx(twin.kid_stderr(known, rows, d), rel=1e-6)
    frechet = measured("frechet", made, real)["D.frechet"]
    # The twin takes roots of eigenvalues that are zero but for rounding, where n < d.
    assert frechet.value == pytest.approx(twin.frechet(known, rows), rel=1e-6)
    vendi = measured("vendi", made, None)["D.vendi"]
    assert vendi.value == pytest.approx(twin.vendi(rows), rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_neighbours_are_those_of_the_authors_library(shift: float) -> None:
    made, real = drawn(200, 6, 1, shift), drawn(150, 6, 2)
    theirs = compute_prdc(real, made, NEIGHBOURS)
    found = {name: score.value for name, score in measured("prdc", made, real).items()}
    assert found == pytest.approx(
        {
            "D.precision": theirs["precision"],
            "D.recall": theirs["recall"],
            "D.density": theirs["density"],
            "D.prdc_coverage": theirs["coverage"],
        },
        rel=1e-12,
    )


def test_kernel_of_unit_vectors_is_not_scaled_down() -> None:
    made = unit_length(drawn(20, 8, 1, 0.2).astype(np.float32)).astype(np.float64)
    real = unit_length(drawn(30, 8, 2).astype(np.float32)).astype(np.float64)
    kid = measured("kid", made, real, normalised=True)["D.kid"]
    assert kid.value == pytest.approx(twin.kid(real.tolist(), made.tolist(), 1), rel=1e-9)


@pytest.mark.parametrize("name", OFFERED)
def test_names_and_order(name: str) -> None:
    made, real = drawn(120, 5, 3, 0.3), drawn(100, 5, 4)
    head = drawn(3, 5, 16)
    whole = measured(name, made, real, head=head)
    assert tuple(whole) == OFFERED[name].metrics
    rng = np.random.default_rng(5)
    again = measured(name, rng.permutation(made), rng.permutation(real), head=head)
    turned = np.linalg.qr(drawn(5, 5, 6))[0]
    rotated = measured(name, made @ turned, real @ turned, head=head @ turned)
    # A head is float32, turned or not.
    same = 1e-6 if name == "is" else 1e-9
    for metric, score in whole.items():
        for other in (again[metric], rotated[metric]):
            assert other.value == pytest.approx(score.value, rel=same, abs=1e-12)
            assert (other.stderr or 0) == pytest.approx(score.stderr or 0, rel=1e-6)
            assert (other.n, other.warning) == (120, score.warning)


def test_a_perfect_generator() -> None:
    made, real = drawn(1000, 4, 7), drawn(1000, 4, 8)
    prdc = measured("prdc", made, real)
    # 1 − C(n−1, k)… of an exchangeable sample: 1 − 2^−k for as many samples as features.
    assert prdc["D.prdc_coverage"].value == pytest.approx(1 - 0.5**NEIGHBOURS, abs=0.02)
    assert prdc["D.density"].value == pytest.approx(1, abs=0.06)
    kid = measured("kid", made, real)["D.kid"]
    assert kid.stderr is not None
    assert abs(kid.value) < 5 * kid.stderr
    assert measured("frechet", made, real)["D.frechet"].value < 0.05
    assert measured("frechet", real, real)["D.frechet"].value == pytest.approx(0, abs=1e-9)


def test_fréchet_of_known_gaussians() -> None:
    made, real = 2 * drawn(20_000, 3, 9, 0.5), drawn(20_000, 3, 10)
    # ‖(1, 1, 1)‖² + 3 (4 + 1 − 2·2)
    assert measured("frechet", made, real)["D.frechet"].value == pytest.approx(6, rel=0.03)


def test_standard_error_of_the_kernel_distance() -> None:
    real = drawn(200, 3, 11)
    scores = [measured("kid", drawn(150, 3, seed, 0.5), real)["D.kid"] for seed in range(100, 300)]
    spread = np.std([score.value for score in scores])
    told = np.mean([score.stderr for score in scores if score.stderr is not None])
    # The spread of 200 values is known to 5%.
    assert told == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("modes", [1, 4, 30])
def test_vendi_counts_modes_that_have_nothing_in_common(modes: int) -> None:
    features = np.eye(40)[np.arange(120) % modes] * 7.0
    assert measured("vendi", features, None)["D.vendi"].value == pytest.approx(modes)
    features[:] = 0
    assert measured("vendi", features, None)["D.vendi"].value == pytest.approx(1)


def test_collapse_shows() -> None:
    real = drawn(300, 4, 12)
    made = np.repeat(real[:1], 300, axis=0)
    prdc = measured("prdc", made, real)
    assert prdc["D.precision"].value == 1
    assert prdc["D.recall"].value <= 1 / 300
    assert prdc["D.prdc_coverage"].value < 0.1
    assert measured("vendi", made, None)["D.vendi"].value == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "n", "enough"),
    [("prdc", 49, 50), ("kid", 99, 100), ("frechet", 120, 121), ("vendi", 60, 400)],
)
def test_few_samples_are_told(name: str, n: int, enough: int) -> None:
    d = 120
    real = drawn(100 if name == "prdc" else 200, d, 13)
    few = measured(name, drawn(n, d, 14), real)
    assert any(score.warning.startswith(f"{n} samples") for score in few.values())
    more = measured(name, drawn(enough, d, 14), real)
    assert not any(score.warning for score in more.values())
    assert all(math.isfinite(score.value) for score in (*few.values(), *more.values()))


@pytest.mark.parametrize("name", ["prdc", "kid", "frechet"])
def test_what_cannot_be_told_says_why(name: str) -> None:
    with pytest.raises(ReferenceError, match="there is none"):
        measured(name, drawn(9, 2, 15), None)
    with pytest.raises(ReferenceError, match="features have 2 numbers, the reference's 3"):
        measured(name, drawn(9, 2, 15), drawn(9, 3, 15))
    with pytest.raises(ReferenceError, match="1 samples and 9 reference features"):
        measured(name, drawn(1, 2, 15), drawn(9, 2, 15))
