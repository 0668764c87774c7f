"""Generators and discriminators: a body of layers, and labels beside its input."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from examples.gan_zoo.dcgan import ACTIVATIONS, dcgan, mlp, tan

#: Makes the bodies for samples of a shape and a number of classes.
Builder = Callable[..., tuple[nn.Sequential, nn.Sequential]]


class Network(nn.Module):
    """A body that is told its condition c: one-hot, as further inputs or constant channels.

    Labels go to both networks ("Improved GAN" slides, conditional GAN); without classes they are
    ignored.
    """

    def __init__(self, body: nn.Sequential, classes: int = 0) -> None:
        super().__init__()
        self.body = body
        self.classes = classes

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Noise (N, d) to samples, or samples (N, …) to raw outputs (N,); labels (N,) int64."""
        if self.classes:
            if labels is None:
                raise ValueError("a conditional network needs labels")
            condition = one_hot(labels, self.classes).to(x.dtype)
            condition = condition.view(*condition.shape, *[1] * (x.dim() - 2))
            x = torch.cat([x, condition.expand(-1, -1, *x.shape[2:])], dim=1)
        output: Tensor = self.body(x)
        return output


@dataclass(frozen=True, slots=True)
class Architecture:
    """A pair of bodies by name.

    Attributes:
        build: (shape, noise, classes, width, activation) to generator and discriminator.
        noise: length of the noise vector.
        width: default width.
        side: of its images, pixels; 0 for points.
    """

    build: Builder
    noise: int
    width: int
    side: int


#: `demo` is the demo's DCGAN (monitor/demo/networks.py), `dcgan64` that of Radford et al. 2016 for
#: 64×64, `tan` Tables A1 and A2 of Tan et al.
NETWORKS = {
    "demo": Architecture(dcgan, 100, 32, 32),
    "dcgan64": Architecture(dcgan, 100, 64, 64),
    "tan": Architecture(tan, 128, 64, 32),
    "mlp": Architecture(mlp, 2, 128, 0),
}


def build(
    name: str,
    shape: tuple[int, ...],
    *,
    classes: int = 0,
    width: int | None = None,
    activation: str = "relu",
) -> tuple[Network, Network]:
    """Generator and discriminator for samples of `shape`, initialised.

    Args:
        name: a key of `NETWORKS`.
        shape: of one sample, (C, H, W) or (d,).
        classes: number of conditions; 0 for an unconditional GAN.
        width: of the hidden layers; default the architecture's own.
        activation: a key of `ACTIVATIONS`.
    """
    chosen = NETWORKS[name]
    bodies = chosen.build(
        shape, chosen.noise, classes, width or chosen.width, ACTIVATIONS[activation]
    )
    generator, discriminator = bodies
    return Network(generator, classes), Network(discriminator, classes)


def without_batch_norm(network: nn.Module) -> nn.Module:
    """Take BatchNorm out, in place: with it, ∇f of one sample would depend on the others."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return network
