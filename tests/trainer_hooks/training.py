"""A small GAN's training: what it leaves behind must not depend on who watches."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from tests.trainer_hooks.loops.gan import (
    BATCH,
    SIZE,
    adam,
    descend,
    discriminator,
    generator,
    noise,
)


@dataclass
class Training:
    """What a hook may see after a step.

    Attributes:
        netG: with BatchNorm and Dropout, in train mode.
        netD: with spectral norm.
        fake: images that the generator made for this step.
        losses: 0-d tensors, still with their graphs.
    """

    netG: torch.nn.Module
    netD: torch.nn.Module
    fake: Tensor = field(default_factory=lambda: torch.zeros(()))
    losses: dict[str, Tensor] = field(default_factory=dict)


Hook = Callable[[int, Training], None]


def train(iterations: int, hook: Hook | None = None) -> dict[str, Any]:
    """Train from fixed seeds; everything that decides how the training would go on.

    Random numbers of all three kinds are drawn in the loop, as a trainer's data loading does.
    """
    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)
    netG, netD = generator(), discriminator()
    optG, optD = adam(netG), adam(netD)
    training = Training(netG, netD)
    for step in range(iterations):
        pixels = np.random.normal(size=(BATCH, 1, SIZE, SIZE)) * random.uniform(0.9, 1.0)
        real, fake = torch.tensor(pixels, dtype=torch.float32), netG(noise())
        errD = softplus(-netD(real)).mean() + softplus(netD(fake.detach())).mean()
        descend(optD, errD)
        errG = softplus(-netD(fake)).mean()
        descend(optG, errG)
        training.fake, training.losses = fake, {"loss.G": errG, "loss.D": errD}
        if hook is not None:
            hook(step, training)
    return {
        "G": netG.state_dict(),
        "D": netD.state_dict(),
        "gradients": [p.grad for net in (netG, netD) for p in net.parameters()],
        "modes": [m.training for net in (netG, netD) for m in net.modules()],
        "optG": optG.state_dict(),
        "optD": optD.state_dict(),
        "rng": (torch.get_rng_state(), np.random.get_state(), random.getstate()),
        "gpu": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def same(left: Any, right: Any) -> bool:
    """Equality to the last bit, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, Tensor):
        equal = left.dtype == right.dtype and left.shape == right.shape
        return equal and _bytes(left) == _bytes(right)
    if isinstance(left, np.ndarray):
        return bool(left.dtype == right.dtype and left.tobytes() == right.tobytes())
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()
