"""Optimistic Adam against a float64 twin and on the game that it was made for."""

import numpy as np
import torch
from torch import nn

from examples.gan_zoo.optimizers import EPSILON, OPTIMIZERS, OptimisticAdam

RATE, BETAS = 0.05, (0.5, 0.9)


def twin(start: np.ndarray, gradients: list[np.ndarray]) -> np.ndarray:
    """Daskalakis et al. 2018, Algorithm 1, line by line."""
    theta = start.astype(np.float64)
    m, v, previous = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
    for t, gradient in enumerate(gradients, start=1):
        m = BETAS[0] * m + (1 - BETAS[0]) * gradient
        v = BETAS[1] * v + (1 - BETAS[1]) * gradient**2
        update = (m / (1 - BETAS[0] ** t)) / (np.sqrt(v / (1 - BETAS[1] ** t)) + EPSILON)
        theta = theta - 2 * RATE * update + RATE * previous
        previous = update
    return theta


def test_against_the_twin() -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=7), list(rng.normal(size=(20, 7)))
    weight = nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = OptimisticAdam([weight], RATE, BETAS)
    for gradient in gradients:
        weight.grad = torch.from_numpy(gradient)
        optimizer.step()
    np.testing.assert_allclose(weight.detach().numpy(), twin(start, gradients), rtol=1e-12)


def distance_from_equilibrium(name: str) -> float:
    """Where min_x max_y xy ends after 3000 steps from (1, 1); the equilibrium is (0, 0)."""
    x, y = (nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in range(2))
    players = [OPTIMIZERS[name]([player], lr=0.02, betas=(0.0, 0.999)) for player in (x, y)]
    for _ in range(3000):
        x.grad, y.grad = y.detach().clone(), -x.detach().clone()
        for player in players:
            player.step()
    return float(torch.cat([x, y]).detach().norm())


def test_optimism_finds_the_equilibrium_that_adam_circles() -> None:
    assert distance_from_equilibrium("oadam") < 0.1
    assert distance_from_equilibrium("adam") > 1


def test_weights_without_a_gradient_stay() -> None:
    weight = nn.Parameter(torch.ones(2))
    OptimisticAdam([weight], RATE, BETAS).step()
    torch.testing.assert_close(weight.detach(), torch.ones(2))
