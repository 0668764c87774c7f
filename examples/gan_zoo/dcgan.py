"""The bodies: DCGAN (Radford et al. 2016), Tan et al.'s DCGAN, and an MLP for points."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

Pair = tuple[nn.Sequential, nn.Sequential]
#: Slope of LeakyReLU below zero, in every DCGAN.
SLOPE = 0.2
#: Deviation of a DCGAN's first weights.
DEVIATION = 0.02


@dataclass(frozen=True, slots=True)
class Activation:
    """What stands between the layers of each network."""

    generator: Callable[[], nn.Module]
    discriminator: Callable[[], nn.Module]


#: `relu` is the DCGANs' own; the others are smooth, so that ∇D is Lipschitz (Zubkov & Filatov).
ACTIVATIONS = {
    "relu": Activation(nn.ReLU, lambda: nn.LeakyReLU(SLOPE)),
    "softplus": Activation(nn.Softplus, nn.Softplus),
    "silu": Activation(nn.SiLU, nn.SiLU),
    "tanh": Activation(nn.Tanh, nn.Tanh),
}


def dcgan(
    shape: tuple[int, ...], noise: int, classes: int, width: int, activation: Activation
) -> Pair:
    """DCGAN for images (C, side, side), side = 32 or 64: a layer for each doubling from 4."""
    channels, side = shape[0], shape[1]
    widths = [width * 2**k for k in range((side // 4).bit_length() - 1)]
    top = widths[-1]
    up: list[nn.Module] = [
        nn.Unflatten(1, (noise + classes, 1, 1)),
        *(nn.ConvTranspose2d(noise + classes, top, 4, 1, 0, bias=False), nn.BatchNorm2d(top)),
        activation.generator(),
    ]
    for wide, narrow in pairwise(reversed(widths)):
        up += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), nn.BatchNorm2d(narrow)]
        up.append(activation.generator())
    up += [nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh()]
    down: list[nn.Module] = [nn.Conv2d(channels + classes, width, 4, 2, 1)]
    down.append(activation.discriminator())
    for narrow, wide in pairwise(widths):
        down += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), nn.BatchNorm2d(wide)]
        down.append(activation.discriminator())
    down += [nn.Conv2d(top, 1, 4, 1, 0), nn.Flatten(0)]
    generator, discriminator = nn.Sequential(*up), nn.Sequential(*down)
    return generator.apply(_initialise), discriminator.apply(_initialise)


def _initialise(module: nn.Module) -> None:
    """Weights as in the DCGAN paper: normal with deviation 0.02."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, DEVIATION)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, DEVIATION)


def tan(
    shape: tuple[int, ...], noise: int, classes: int, width: int, activation: Activation
) -> Pair:
    """Tan et al., Tables A1 and A2, for images (C, 32, 32); `width` is 64 there.

    No BatchNorm in the discriminator, spectral norm on its last layer, and its sigmoid left to the
    loss. Orthogonal weights in the discriminator, Glorot's in the generator (section 5.1).
    """
    channels = shape[0]
    down: list[nn.Module] = [nn.Conv2d(channels + classes, width, 3, 1, 1)]
    down += [activation.discriminator(), nn.Conv2d(width, width, 4, 2, 1, bias=False)]
    for narrow in (width, 2 * width):
        down += [activation.discriminator(), nn.Conv2d(narrow, 2 * narrow, 3, 1, 1, bias=False)]
        down += [activation.discriminator(), nn.Conv2d(2 * narrow, 2 * narrow, 4, 2, 1, bias=False)]
    down += [activation.discriminator(), nn.Conv2d(4 * width, 8 * width, 3, 1, 1, bias=False)]
    down += [activation.discriminator(), nn.Conv2d(8 * width, 1, 4, 1, 0), nn.Flatten(0)]
    up: list[nn.Module] = [nn.Unflatten(1, (noise + classes, 1, 1))]
    up += [nn.ConvTranspose2d(noise + classes, 8 * width, 4, 1, 0, bias=False)]
    for wide in (8 * width, 4 * width, 2 * width):
        up += [nn.BatchNorm2d(wide), activation.generator()]
        up += [nn.ConvTranspose2d(wide, wide // 2, 4, 2, 1, bias=False)]
    up += [nn.BatchNorm2d(width), activation.generator()]
    up += [nn.ConvTranspose2d(width, channels, 3, 1, 1), nn.Tanh()]
    return _initialise_tan(nn.Sequential(*up), nn.Sequential(*down))


def _initialise_tan(generator: nn.Sequential, discriminator: nn.Sequential) -> Pair:
    for module in generator:
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.xavier_normal_(module.weight)
    for module in discriminator:
        if isinstance(module, nn.Conv2d):
            nn.init.orthogonal_(module.weight)
    spectral_norm(discriminator[-2])
    return generator, discriminator


def mlp(
    shape: tuple[int, ...], noise: int, classes: int, width: int, activation: Activation
) -> Pair:
    """Three hidden layers each way, for points (d,)."""

    def layers(inputs: int, outputs: int, hidden: Callable[[], nn.Module]) -> list[nn.Module]:
        sizes = [inputs, width, width, width]
        body = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), hidden())]
        return [*body, nn.Linear(width, outputs)]

    up = layers(noise + classes, shape[0], activation.generator)
    down = layers(shape[0] + classes, 1, activation.discriminator)
    return nn.Sequential(*up), nn.Sequential(*down, nn.Flatten(0))
