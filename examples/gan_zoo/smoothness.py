"""The generator's step 1/L from the smoothness bound (Zubkov & Filatov; Chu et al. 2020)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

#: Length of the probing step, in units of the weights' norm: float32 still sees the curvature.
PROBE = 1e-2


@dataclass(frozen=True, slots=True)
class Constants:
    """The slides' regularity conditions, measured along one step of the generator.

    Attributes:
        alpha: (D1) Lipschitz constant of Φ.
        beta1: (D2) of x ↦ ∇Φ(x).
        beta2: (D3) of μ ↦ ∇Φ_μ(x), against the 1-Wasserstein distance.
        a: (G1) of θ ↦ G_θ(z), in expectation.
        b: (G2) of θ ↦ its derivative, in expectation.
        reach: the step that goes as far as was measured.
    """

    alpha: float
    beta1: float
    beta2: float
    a: float
    b: float
    reach: float

    @property
    def smoothness(self) -> float:
        """L = αB + A²(β₁ + β₂)."""
        return self.alpha * self.b + self.a**2 * (self.beta1 + self.beta2)

    @property
    def step(self) -> float:
        """1/L, but no further than what is known.

        The theorem wants an optimal discriminator; one that has learnt nothing yet is flat, and
        its 1/L would throw the generator away.
        """
        return 1 / max(self.smoothness, 1 / self.reach)


def measure(
    generator: nn.Module, inputs: tuple[Tensor | None, ...], phi: Callable[[Tensor], Tensor]
) -> Constants:
    """The constants along −∇J, the way the generator is about to go.

    Three generators, at θ − δ, θ and θ + δ, give A and B as first and second difference; ∇Φ on
    what the outer two make gives α and β₁. No sample shows β₂, which compares optimal
    discriminators of two distributions: it is taken to equal β₁, as it does, up to a factor of
    two, for the kernel discriminators of Chu et al. The suprema over all θ and x that the theorem
    asks for are larger than what one batch shows, so L is an estimate from below.

    Args:
        generator: with ∇J in its parameters' ``grad``; left as it is.
        inputs: its arguments, N rows each.
        phi: samples (N, …) to (N,) contributions to the generator's loss.
    """
    weights = {name: weight.detach() for name, weight in generator.named_parameters()}
    direction, length, reach = _probe(generator, weights)
    ends = [_generate(generator, weights, direction, sign, inputs) for sign in (-1, 0, 1)]
    before, here, after = (end.flatten(1) for end in ends)
    gradients = [_gradient(phi, end).flatten(1) for end in (ends[0], ends[2])]
    moved = (after - before).norm(dim=1)
    turned = (gradients[1] - gradients[0]).norm(dim=1)
    beta = (turned / moved.clamp_min(torch.finfo(moved.dtype).tiny))[moved > 0]
    beta1 = float(beta.max()) if len(beta) else 0.0
    return Constants(
        alpha=max(float(gradient.norm(dim=1).max()) for gradient in gradients),
        beta1=beta1,
        beta2=beta1,
        a=float(moved.mean()) / (2 * length),
        b=float((after - 2 * here + before).norm(dim=1).mean()) / length**2,
        reach=reach,
    )


def _probe(
    generator: nn.Module, weights: dict[str, Tensor]
) -> tuple[dict[str, Tensor], float, float]:
    """δ = −PROBE·‖θ‖·∇J/‖∇J‖ by name, its length ‖δ‖, and ‖δ‖/‖∇J‖."""
    gradients = {
        name: torch.zeros_like(weight) if weight.grad is None else weight.grad
        for name, weight in generator.named_parameters()
    }
    norm = torch.stack([gradient.norm() for gradient in gradients.values()]).norm()
    size = torch.stack([weight.norm() for weight in weights.values()]).norm()
    length = PROBE * float(size)
    reach = length / max(float(norm), torch.finfo(norm.dtype).tiny)
    return {name: -reach * gradient for name, gradient in gradients.items()}, length, reach


@torch.no_grad()
def _generate(
    generator: nn.Module,
    weights: dict[str, Tensor],
    direction: dict[str, Tensor],
    sign: int,
    inputs: tuple[Tensor | None, ...],
) -> Tensor:
    there = {name: weight + sign * direction[name] for name, weight in weights.items()}
    # BatchNorm writes its statistics into what it is given: not the generator's own.
    copies = {name: buffer.clone() for name, buffer in generator.named_buffers()}
    generated: Tensor = functional_call(generator, {**there, **copies}, inputs)
    return generated


def _gradient(phi: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    points = points.detach().requires_grad_()
    return torch.autograd.grad(phi(points).sum(), points)[0]
