"""The smoothness bound on generators and discriminators whose constants are known."""

import pytest
import torch
from torch import Tensor, nn

from examples.gan_zoo.networks import build
from examples.gan_zoo.smoothness import PROBE, Constants, measure

CURVATURE = 3.0


class Power(nn.Module):
    """G(z) = z·θᵖ, element by element."""

    def __init__(self, exponent: int) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
        self.exponent = exponent

    def forward(self, z: Tensor) -> Tensor:
        return z * self.theta**self.exponent


def bowl(x: Tensor) -> Tensor:
    return CURVATURE / 2 * x.square().sum(1)


def prepared(exponent: int, z: Tensor) -> Power:
    generator = Power(exponent)
    bowl(generator(z)).mean().backward()  # type: ignore[no-untyped-call]
    return generator


def test_the_bound() -> None:
    constants = Constants(alpha=2, beta1=3, beta2=5, a=7, b=11, reach=1)
    assert constants.smoothness == 2 * 11 + 49 * 8
    assert constants.step == 1 / 414


def test_no_step_goes_beyond_what_was_measured() -> None:
    assert Constants(0, 0, 0, 0, 0, reach=0.3).step == 0.3
    z = torch.tensor([[1.0, 0.5], [-2.0, 1.0]], dtype=torch.float64)
    generator = prepared(1, z)
    constants = measure(generator, (z,), lambda x: 1e-9 * bowl(x))
    assert generator.theta.grad is not None
    length = constants.step * float(generator.theta.grad.norm())
    assert length == pytest.approx(PROBE * float(generator.theta.detach().norm()))


def test_a_generator_linear_in_its_weights_has_no_b() -> None:
    z = torch.tensor([[1.0, 0.5], [-2.0, 1.0]], dtype=torch.float64)
    generator = prepared(1, z)
    constants = measure(generator, (z,), bowl)
    assert generator.theta.grad is not None
    direction = generator.theta.grad / generator.theta.grad.norm()
    assert constants.a == pytest.approx(float((z * direction).norm(dim=1).mean()))
    assert constants.b == pytest.approx(0, abs=1e-9)
    assert constants.beta1 == pytest.approx(CURVATURE)
    assert constants.beta2 == constants.beta1
    largest = CURVATURE * float(generator(z).detach().norm(dim=1).max())
    assert constants.alpha == pytest.approx(largest, rel=0.05), "at ±1% of the weights"


def test_b_is_the_second_derivative_along_the_step() -> None:
    z = torch.tensor([[1.0, 0.5], [-2.0, 1.0]], dtype=torch.float64)
    generator = prepared(2, z)
    constants = measure(generator, (z,), bowl)
    assert generator.theta.grad is not None
    direction = generator.theta.grad / generator.theta.grad.norm()
    expected = float((2 * z * direction**2).norm(dim=1).mean())
    assert constants.b == pytest.approx(expected, rel=1e-6)


def test_steps_of_one_over_l_bring_the_gradient_to_zero() -> None:
    # Zubkov & Filatov, first theorem.
    z = torch.tensor([[1.0, 0.5], [-2.0, 1.0]], dtype=torch.float64)
    generator = Power(2)
    norms = []
    for _ in range(400):
        generator.zero_grad()
        bowl(generator(z)).mean().backward()  # type: ignore[no-untyped-call]
        constants = measure(generator, (z,), bowl)
        with torch.no_grad():
            assert generator.theta.grad is not None
            norms.append(float(generator.theta.grad.norm()))
            generator.theta.sub_(constants.step * generator.theta.grad)
    assert max(norms) == norms[0], "and never overshoots"
    assert norms[-1] < 1e-3 * norms[0]


def test_measuring_changes_nothing_in_the_generator() -> None:
    generator, discriminator = build("demo", (1, 32, 32), width=2)
    z = torch.randn(4, 100)
    discriminator(generator(z)).mean().backward()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    constants = measure(generator, (z, None), discriminator)
    assert constants.smoothness > 0
    for name, value in generator.state_dict().items():
        assert torch.equal(value, before[name]), name
