"""Regularisers of the discriminator that penalise no gradient: ALR, CR and weight clipping."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import relu

from examples.gan_zoo.penalties import Critic

#: Length of the first guess of the adversarial direction (Terjék 2020, section 4.1: ξ).
PROBE = 10.0
#: Lengths of the adversarial perturbation are uniform between these (Terjék 2020: ε).
SHORTEST, LONGEST = 0.1, 10.0
#: Shift of an image, in units of its side (Xia, Table III).
SHIFT = 0.2
#: Deviation of a point's shift; the mixtures' normals are as wide (no source has points).
JITTER = 0.05


def adversarial_lipschitz(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """E[max{0, |D(x + r) − D(x)|/‖r‖ − 1}²] over real and generated x (Terjék 2020, eq 10).

    r has the direction that changes D most (Zubkov & Filatov: adversarial Lipschitz
    regularisation), found by one step of the power iteration.
    """
    batches = (real.detach(), fake.detach())
    return torch.stack([_excess(critic, x).square().mean() for x in batches]).mean()


def _excess(critic: Critic, x: Tensor) -> Tensor:
    """(N,) how far |D(x + r) − D(x)|/‖r‖ is above one."""
    shape = (len(x), *[1] * (x.dim() - 1))
    length = torch.empty(shape, device=x.device).uniform_(SHORTEST, LONGEST)
    moved = critic(x + length * adversarial_direction(critic, x))
    return relu((moved - critic(x)).abs() / length.flatten() - 1)


def adversarial_direction(critic: Critic, x: Tensor) -> Tensor:
    """(N, …) unit vectors along ∇_r |D(x + r) − D(x)| at a random r of length ξ."""
    r = (PROBE * _unit(torch.randn_like(x))).requires_grad_()
    change = (critic(x + r) - critic(x).detach()).abs().sum()
    return _unit(torch.autograd.grad(change, r)[0])


def _unit(vectors: Tensor) -> Tensor:
    norms: Tensor = vectors.flatten(1).norm(dim=1).clamp_min(torch.finfo(vectors.dtype).tiny)
    return vectors / norms.view(-1, *[1] * (vectors.dim() - 1))


def consistency(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """E‖D(x) − D(T(x))‖² over real x (Zhang et al. 2020; Xia, Table III for T)."""
    return (critic(real) - critic(augmented(real))).square().mean()


def augmented(x: Tensor) -> Tensor:
    """T: images (N, C, H, W) mirrored or not and shifted; points (N, d) shifted."""
    if x.dim() == 2:
        return x + JITTER * torch.randn_like(x)
    mirrored = (torch.rand(len(x), device=x.device) < 0.5).view(-1, 1, 1, 1)
    return shifted(torch.where(mirrored, x.flip(3), x))


def shifted(images: Tensor) -> Tensor:
    """Each image by up to a fifth of its side each way; what comes in is reflected."""
    for axis in (2, 3):
        size = images.shape[axis]
        most = int(SHIFT * size)
        by = torch.randint(-most, most + 1, (len(images), 1), device=images.device)
        source = (torch.arange(size, device=images.device) + by).abs()
        source = torch.where(source < size, source, 2 * (size - 1) - source)
        index = source.view(-1, 1, *((size, 1) if axis == 2 else (1, size)))
        images = images.gather(axis, index.expand_as(images))
    return images


@torch.no_grad()
def clip(weights: Iterable[Tensor], bound: float) -> None:
    """Force every weight into [−c, c] after a step (WGAN; "Improved GAN" slides)."""
    for weight in weights:
        weight.clamp_(-bound, bound)
