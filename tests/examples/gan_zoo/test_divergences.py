"""Each row of the f-GAN tables against its definition: sup_u {ut − f(u)} and the integrals."""

import math
from collections.abc import Callable

import mpmath
import pytest
import torch
from torch import Tensor

from examples.gan_zoo.divergences import DIVERGENCES, WEIGHT, Divergence
from examples.gan_zoo.lambert import lambert_w_of_exp

#: u > 0 so dense that the best of them misses the supremum by less than 1e-8 relatively.
U = torch.logspace(-8, 8, 200_001, dtype=torch.float64)
RAW = torch.linspace(-4, 4, 33, dtype=torch.float64)
P = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
Q = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
rows = pytest.mark.parametrize("name", DIVERGENCES)


def inside(divergence: Divergence) -> Tensor:
    """Values of t that the activation gives, inside the domain."""
    t = divergence.activation(RAW)
    low, high = divergence.domain
    return t[(low < t) & (t < high)]


@rows
def test_the_conjugate_is_the_supremum(name: str) -> None:
    divergence = DIVERGENCES[name]
    t = inside(divergence)
    assert len(t) > 15
    supremum = torch.stack([(U * value - divergence.f(U)).max() for value in t])
    torch.testing.assert_close(divergence.conjugate(t), supremum, rtol=1e-7, atol=1e-7)


VALUES = {
    "total-variation": (0.25, 0.25),
    "kl": (2.0, math.e),
    "reverse-kl": (-1.0, -1.0),
    "pearson": (2.0, 3.0),
    "neyman": (-3.0, -2.0),
    "hellinger": (0.5, 1.0),
    "jeffrey": (0.0, 0.0),
    "js": (math.log(1.5), math.log(2)),
    "weighted-js": (WEIGHT * math.log(2), (1 - WEIGHT) * math.log((1 - WEIGHT) / (1 - 2 * WEIGHT))),
    "gan": (-math.log(2), math.log(2)),
}


@rows
def test_values_that_can_be_worked_out_by_hand(name: str) -> None:
    t, expected = VALUES[name]
    value = DIVERGENCES[name].conjugate(torch.tensor(t, dtype=torch.float64))
    assert float(value) == pytest.approx(expected, abs=1e-14)


def kl(p: Tensor, q: Tensor) -> float:
    return float((p * (p / q).log()).sum())


def weighted_js(weight: float) -> float:
    mean = weight * P + (1 - weight) * Q
    return weight * kl(P, mean) + (1 - weight) * kl(Q, mean)


#: The integrals of the slides' first table, with the three corrections that the module names.
INTEGRALS: dict[str, Callable[[], float]] = {
    "total-variation": lambda: float((P - Q).abs().sum() / 2),
    "kl": lambda: kl(P, Q),
    "reverse-kl": lambda: kl(Q, P),
    "pearson": lambda: float(((P - Q) ** 2 / Q).sum()),
    "neyman": lambda: float(((P - Q) ** 2 / P).sum()),
    "hellinger": lambda: float(((P.sqrt() - Q.sqrt()) ** 2).sum()),
    "jeffrey": lambda: kl(P, Q) + kl(Q, P),
    "js": lambda: 2 * weighted_js(0.5),
    "weighted-js": lambda: weighted_js(WEIGHT),
    "gan": lambda: 2 * weighted_js(0.5) - math.log(4),
}


@rows
def test_the_best_discriminator_reaches_the_divergence(name: str) -> None:
    divergence = DIVERGENCES[name]
    ratio = (P / Q).requires_grad_()
    (best,) = torch.autograd.grad(divergence.f(ratio).sum(), ratio)
    reached = float((P * best).sum() - (Q * divergence.conjugate(best)).sum())
    assert reached == pytest.approx(float((Q * divergence.f(P / Q)).sum()), rel=1e-12)
    assert reached == pytest.approx(INTEGRALS[name](), rel=1e-12)


@rows
def test_the_activation_stays_in_the_domain_of_the_conjugate(name: str) -> None:
    divergence = DIVERGENCES[name]
    t = divergence.activation(RAW)
    assert bool(torch.isfinite(divergence.conjugate(t)).all())
    assert bool((t <= divergence.domain[1]).all())
    assert bool((t.diff() > 0).all()), "a larger output always means more real"


@rows
def test_composed_is_one_after_the_other(name: str) -> None:
    divergence = DIVERGENCES[name]
    composed = divergence.conjugate_of_activation(RAW)
    torch.testing.assert_close(
        composed, divergence.conjugate(divergence.activation(RAW)), rtol=1e-10, atol=1e-12
    )


@rows
def test_composed_is_finite_where_float32_would_cancel(name: str) -> None:
    v = torch.linspace(-60, 60, 25).requires_grad_()
    value = DIVERGENCES[name].conjugate_of_activation(v)
    (slope,) = torch.autograd.grad(value.sum(), v)
    assert bool(torch.isfinite(value).all())
    assert bool(torch.isfinite(slope).all())


def test_weighted_js_far_from_the_decision() -> None:
    # f*(g(v)) = (1 − π)(log(1 − π) − log(1 − σ(v)^{1/π})), with 50 digits.
    raw = torch.tensor([-80.0, 30.0, 39.0, 41.0, 80.0], dtype=torch.float64)
    with mpmath.workdps(50):
        rest = 1 - mpmath.mpf(WEIGHT)
        shares = [(1 + mpmath.exp(-mpmath.mpf(float(v)))) ** (-1 / (1 - rest)) for v in raw]
        expected = [float(rest * (mpmath.log(rest) - mpmath.log(1 - share))) for share in shares]
    value = DIVERGENCES["weighted-js"].conjugate_of_activation(raw)
    torch.testing.assert_close(value, torch.tensor(expected, dtype=torch.float64))


def test_lambert_w_against_mpmath() -> None:
    y = torch.linspace(-60, 700, 200, dtype=torch.float64)
    expected = [float(mpmath.lambertw(mpmath.exp(float(value))).real) for value in y]
    expected_tensor = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(lambert_w_of_exp(y), expected_tensor, rtol=1e-13, atol=0)


def test_lambert_w_has_the_right_slope() -> None:
    y = torch.linspace(-50, 50, 21, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambert_w_of_exp, (y,))


def test_jeffrey_overflows_to_infinity_and_never_to_a_wrong_number() -> None:
    value = DIVERGENCES["jeffrey"].conjugate(torch.tensor([200.0]))
    assert float(value) == math.inf
