"""A recipe's penalty: its weight, its options, and the one that is no term of the loss."""

from typing import Any

import pytest
import torch
from torch import Tensor

from examples.gan_zoo.recipe import Recipe

REAL = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)
W = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64)


def linear(x: Tensor) -> Tensor:
    """A critic whose gradient is three units long."""
    return x @ W


def term(**options: Any) -> float:
    penalty = Recipe(**options).penalty_term()
    assert penalty is not None
    return float(penalty(linear, REAL, -REAL).detach())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"penalty": "gp"}, 10 * 4),
        ({"penalty": "gp", "penalty_weight": 0.0}, 0),
        ({"penalty": "lp", "penalty_weight": 0.5}, 0.5 * 4),
        ({"penalty": "gp1"}, 10 * 2),
        ({"penalty": "0gp"}, 10 * 9),
        ({"penalty": "tan"}, 10 * 9),
        ({"penalty": "tan", "bound": 5.0}, 10 * 25),
        ({"penalty": "alr"}, 100 * 4),
        ({"penalty": "alr", "penalty_weight": 2.0}, 2 * 4),
    ],
)
def test_lambda_times_the_penalty(options: dict[str, Any], expected: float) -> None:
    assert term(**options) == pytest.approx(expected)


def test_after_the_sigmoid_the_penalty_is_that_of_the_probability() -> None:
    # ‖∇σ(f)‖ = σ(1 − σ)‖∇f‖ ≤ 3/4.
    assert 0 < term(penalty="0gp", after_sigmoid=True) <= 10 * 9 / 16


@pytest.mark.parametrize("penalty", [None, "clip"])
def test_some_add_nothing_to_the_loss(penalty: str | None) -> None:
    assert Recipe(penalty=penalty).penalty_term() is None
