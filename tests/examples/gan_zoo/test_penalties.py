"""Gradient penalties against closed forms and finite differences."""

import pytest
import torch
from torch import Tensor

from examples.gan_zoo.penalties import (
    DRAGAN_SPREAD,
    GRADIENT_PENALTIES,
    after_sigmoid,
    around,
    between,
    gradient_norms,
    tan,
)

REAL = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)
FAKE = REAL.flip(0) * 0.5 + 0.3


def linear(length: float) -> Tensor:
    """w with ‖w‖ = `length`; the critic x ↦ w·x has that gradient everywhere."""
    weights = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3 * length
    return weights.requires_grad_()


#: h of Table 3 and of the slides, and its derivative, at ‖∇D‖ = 3 and ½.
CLOSED = {
    "gp": {3.0: (4.0, 4.0), 0.5: (0.25, -1.0)},
    "gp1": {3.0: (2.0, 1.0), 0.5: (0.0, 0.0)},
    "dragan": {3.0: (4.0, 4.0), 0.5: (0.25, -1.0)},
    "0gp": {3.0: (9.0, 6.0), 0.5: (0.25, 1.0)},
    "lp": {3.0: (4.0, 4.0), 0.5: (0.0, 0.0)},
    "tan": {3.0: (9.0, 6.0), 0.5: (0.25, 1.0)},
}


@pytest.mark.parametrize("name", GRADIENT_PENALTIES)
@pytest.mark.parametrize("length", [3.0, 0.5])
def test_on_a_linear_critic(name: str, length: float) -> None:
    weights = linear(length)
    value = GRADIENT_PENALTIES[name](lambda x: x @ weights, REAL, FAKE)
    (gradient,) = torch.autograd.grad(value, weights)
    expected, slope = CLOSED[name][length]
    assert float(value.detach()) == pytest.approx(expected)
    torch.testing.assert_close(gradient, slope * weights.detach() / length)


@pytest.mark.parametrize(("length", "expected"), [(3.0, 9.0), (0.5, 4.0)])
def test_tan_leaves_gradients_below_its_bound_alone(length: float, expected: float) -> None:
    value = tan(2.0)(lambda x: x @ linear(length), REAL, FAKE)
    assert float(value.detach()) == pytest.approx(expected)


@pytest.mark.parametrize("name", GRADIENT_PENALTIES)
def test_against_finite_differences_of_the_critic(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(3, 3, generator=generator, dtype=torch.float64)

    def critic(x: Tensor) -> Tensor:
        return (x @ matrix).tanh().sum(1) + x.square().sum(1)

    torch.manual_seed(2)
    points = GRADIENT_PENALTIES[name].points(REAL, FAKE)
    shifts = 1e-6 * torch.eye(3, dtype=torch.float64)
    slopes = [(critic(points + shift) - critic(points - shift)) / 2e-6 for shift in shifts]
    norms = torch.stack(slopes).square().sum(0).sqrt()
    torch.manual_seed(2)
    value = GRADIENT_PENALTIES[name](critic, REAL, FAKE)
    expected = GRADIENT_PENALTIES[name].h(norms).mean()
    torch.testing.assert_close(value, expected, rtol=1e-7, atol=1e-9)


def test_after_the_sigmoid_gradients_fade() -> None:
    # ∇σ(f) = σ(1 − σ)∇f.
    weights = linear(3.0)
    norms = gradient_norms(after_sigmoid(lambda x: x @ weights), REAL)
    share = (REAL @ weights).sigmoid()
    torch.testing.assert_close(norms, 3 * share * (1 - share))


def test_points_between_lie_on_the_segments() -> None:
    real, fake = torch.full((500, 2, 3, 3), 5.0), torch.full((500, 2, 3, 3), 4.0)
    points = between(real, fake).flatten(1)
    torch.testing.assert_close(points, points[:, :1].expand_as(points))  # one α for a sample
    assert 4 <= float(points.min()) < 4.1
    assert 4.9 < float(points.max()) <= 5
    assert 0.07 < float(points[:, 0].var()) < 0.1, "uniform: 1/12"


def test_points_around_are_as_far_as_half_the_batch_is_wide() -> None:
    real = 3 * torch.randn(4000, 5)
    shift = around(real, torch.zeros_like(real)) - real
    assert float(shift.std()) == pytest.approx(DRAGAN_SPREAD * 3, rel=0.05)
    assert abs(float(shift.mean())) < 0.05
