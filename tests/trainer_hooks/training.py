"""The demo's training, small: what it leaves behind must not depend on who watches."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from monitor.demo.faces import load_faces
from monitor.demo.networks import NOISE, SIZE, Discriminator, Generator

#: Images of a step: few, so that 200 steps take seconds.
BATCH = 16


@dataclass
class Training:
    """What a hook may see after a step."""

    netG: Generator
    netD: Discriminator
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]
    losses: dict[str, Tensor]

    def noise(self, n: int) -> Tensor:
        return torch.randn(n, NOISE, 1, 1)


Hook = Callable[[int, Training], None]


def train(iterations: int, hook: Hook | None = None, *, width: int = 32) -> dict[str, Any]:
    """Train from fixed seeds; everything that decides how the training would go on.

    Random numbers of all three kinds are drawn in the loop, as a trainer's data loading does.
    """
    torch.manual_seed(1)
    np.random.seed(2)
    random.seed(3)
    faces = load_faces(SIZE)
    netG, netD = Generator(width), Discriminator(width)
    optG = torch.optim.Adam(netG.parameters(), 8e-4, (0.5, 0.999))
    optD = torch.optim.Adam(netD.parameters(), 8e-4, (0.5, 0.999))
    training = Training(netG, netD, (optG, optD), {})
    for step in range(iterations):
        real = faces[np.random.permutation(len(faces))[:BATCH]] * random.uniform(0.9, 1.0)
        fake = netG(training.noise(BATCH))
        errD = softplus(-netD(real)).mean() + softplus(netD(fake.detach())).mean()
        optD.zero_grad()
        errD.backward()  # type: ignore[no-untyped-call]
        optD.step()
        errG = softplus(-netD(fake)).mean()
        optG.zero_grad()
        errG.backward()  # type: ignore[no-untyped-call]
        optG.step()
        training.losses = {"loss.G": errG, "loss.D": errD}
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
