"""Gradient penalties on the discriminator: λ E[h(‖∇D(x̂)‖)] at points x̂ near the data.

D is the raw output, before any sigmoid: SQD paper's D of Table 1, f of Tan et al.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu

#: The discriminator under the conditions of the batch: (N, …) samples to (N,) raw outputs.
Critic = Callable[[Tensor], Tensor]
#: Real and generated samples (N, …) to the points where the gradient is taken.
Points = Callable[[Tensor, Tensor], Tensor]
#: Deviation of DRAGAN's noise in units of the batch's own (Kodali et al. 2017, their code).
DRAGAN_SPREAD = 0.5


def between(real: Tensor, fake: Tensor) -> Tensor:
    """x̂ = αx + (1 − α)G(z), α uniform on [0, 1] for each sample (SQD paper, below eq 3)."""
    alpha = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
    return alpha * real + (1 - alpha) * fake


def around(real: Tensor, fake: Tensor) -> Tensor:
    """x̂ = x + δ, δ ~ N(0, cI) (SQD paper, Table 3); √c is half the batch's deviation."""
    return real + DRAGAN_SPREAD * real.std() * torch.randn_like(real)


def gradient_norms(critic: Critic, points: Tensor) -> Tensor:
    """(N,) Euclidean norms of ∇D at (N, …) points, differentiable in D's weights."""
    points = points.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    norms: Tensor = gradient.flatten(1).norm(dim=1)
    return norms


@dataclass(frozen=True, slots=True)
class GradientPenalty:
    """E[h(‖∇D(x̂)‖)], without its weight λ.

    Attributes:
        points: where x̂ comes from.
        h: of the gradient's norm.
    """

    points: Points
    h: Callable[[Tensor], Tensor]

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """The penalty of one batch of real and generated samples, a 0-d tensor."""
        return self.h(gradient_norms(critic, self.points(real, fake))).mean()


def tan(bound: float = 0.0) -> GradientPenalty:
    """E[max{‖∇f(x̂)‖², L²}] (Tan et al., eq 14); `bound` is L.

    At L = 0 this is 0-GP on the raw output; what Tan et al. compare with is 0-GP on its sigmoid
    (`after_sigmoid`).
    """
    return GradientPenalty(between, lambda norm: norm.square().clamp_min(bound**2))


def after_sigmoid(critic: Critic) -> Critic:
    """σ(D): what 0-GP penalises in Tan et al., section 5.2."""
    return lambda x: critic(x).sigmoid()


#: SQD paper, Table 3; `gp1` is the one-sided penalty of the "Improved GAN" slides, not squared.
GRADIENT_PENALTIES = {
    "gp": GradientPenalty(between, lambda norm: (norm - 1).square()),
    "gp1": GradientPenalty(between, lambda norm: relu(norm - 1)),
    "dragan": GradientPenalty(around, lambda norm: (norm - 1).square()),
    "0gp": GradientPenalty(between, lambda norm: norm.square()),
    "lp": GradientPenalty(between, lambda norm: relu(norm - 1).square()),
    "tan": tan(),
}
