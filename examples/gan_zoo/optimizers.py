"""Optimistic Adam; Adam itself is torch's."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

#: Keeps the division finite; torch's own value for Adam.
EPSILON = 1e-8


class OptimisticAdam(torch.optim.Optimizer):
    """θ ← θ − 2η u_t + η u_{t−1}, u = m̂/(√v̂ + ε) (Daskalakis et al. 2018, Algorithm 1).

    The optimizer of Tan et al. (section 5.1). Without momentum (β₁ = 0), Adam circles around the
    equilibrium of a bilinear game, and this one goes in.
    """

    def __init__(
        self, weights: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(weights, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; `closure` is not used."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    update = _update(self.state[weight], weight.grad, group["betas"])
                    previous = self.state[weight]["update"]
                    weight.sub_(2 * update - previous, alpha=group["lr"])
                    previous.copy_(update)


def _update(state: dict[str, Any], gradient: Tensor, betas: tuple[float, float]) -> Tensor:
    """Adam's m̂/(√v̂ + ε), with its moments kept in `state`."""
    if not state:
        state.update(count=0, mean=torch.zeros_like(gradient), square=torch.zeros_like(gradient))
        state["update"] = torch.zeros_like(gradient)
    state["count"] += 1
    first, second = betas
    state["mean"].lerp_(gradient, 1 - first)
    state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
    mean = state["mean"] / (1 - first ** state["count"])
    square = state["square"] / (1 - second ** state["count"])
    update: Tensor = mean / (square.sqrt() + EPSILON)
    return update


#: One kernel for all of Adam: a fifth of a small network's iteration on a CPU.
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "oadam": OptimisticAdam,
}
