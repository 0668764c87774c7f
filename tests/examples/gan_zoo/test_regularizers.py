"""ALR, CR and clipping against closed forms."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from examples.gan_zoo.regularizers import (
    PROBE,
    adversarial_direction,
    adversarial_lipschitz,
    augmented,
    clip,
    consistency,
    shifted,
)

W = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64)
REAL = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 4.0), (0.2, 0.0)])
def test_alr_of_a_linear_critic_is_that_of_its_slope(scale: float, expected: float) -> None:
    value = adversarial_lipschitz(lambda x: x @ W * scale, REAL, -REAL)
    assert float(value) == pytest.approx(expected), "max{0, ‖w‖ − 1}², ‖w‖ = 3 or 0.6"


def test_the_adversarial_direction_is_that_of_the_gradient() -> None:
    direction = adversarial_direction(lambda x: x @ W, REAL)
    torch.testing.assert_close(direction.abs(), (W.abs() / 3).expand(4, 3))
    torch.testing.assert_close(direction.norm(dim=1), torch.ones(4, dtype=torch.float64))


def test_the_adversarial_direction_is_looked_for_at_length_xi() -> None:
    lengths = []

    def critic(x: Tensor) -> Tensor:
        lengths.append((x - REAL).detach().norm(dim=1))
        return x @ W

    adversarial_direction(critic, REAL)
    torch.testing.assert_close(lengths[0], torch.full((4,), PROBE, dtype=torch.float64))


def test_the_adversarial_direction_finds_more_than_a_random_one() -> None:
    def critic(x: Tensor) -> Tensor:
        return (x * torch.tensor([5.0, 0.1, 0.1, 0.1, 0.1, 0.1])).sum(1).sin()

    x = torch.zeros(300, 6)
    torch.manual_seed(0)
    found = (critic(x + 0.1 * adversarial_direction(critic, x)) - critic(x)).abs().mean()
    random = torch.nn.functional.normalize(torch.randn(300, 6), dim=1)
    assert float(found) > 1.5 * float((critic(x + 0.1 * random) - critic(x)).abs().mean())


def test_cr_is_zero_for_what_no_shift_or_mirror_changes() -> None:
    images = torch.ones(3, 1, 10, 10) * torch.tensor([0.1, 0.5, -1]).view(3, 1, 1, 1)
    assert float(consistency(lambda x: x[:, 0, 3, 4], images, images)) == 0


def test_cr_is_the_mean_square_of_the_change() -> None:
    images = torch.randn(3, 1, 10, 10)

    def critic(x: Tensor) -> Tensor:
        return x[:, 0, 3, 4]

    torch.manual_seed(5)
    change = critic(images) - critic(augmented(images))
    torch.manual_seed(5)
    value = consistency(critic, images, images)
    assert float(change.abs().min()) > 0
    torch.testing.assert_close(value, change.square().mean())


def test_a_shift_is_a_window_of_the_reflected_image() -> None:
    images = torch.randn(6, 2, 10, 10)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    for image, wide in zip(shifted(images).numpy(), padded, strict=True):
        windows = [
            wide[:, top : top + 10, left : left + 10]
            for top, left in itertools.product(range(5), repeat=2)
        ]
        assert any(np.array_equal(image, window) for window in windows)


def test_points_are_only_jittered() -> None:
    points = torch.randn(500, 2)
    assert 0 < float((augmented(points) - points).abs().max()) < 0.5


def test_clipping_leaves_nothing_outside() -> None:
    weight = torch.nn.Parameter(torch.tensor([-3.0, -0.005, 0.02]))
    clip([weight], 0.01)
    torch.testing.assert_close(weight.detach(), torch.tensor([-0.01, -0.005, 0.01]))
