"""A small DCGAN (Radford et al. 2016) for grey images of 32×32."""

from torch import nn

#: Length of the noise vector.
NOISE = 100
#: Sides of the generated images, pixels.
SIZE = 32
#: Channels of the widest hidden layer, in units of the width.
WIDTH = 32


def _up(inputs: int, outputs: int) -> list[nn.Module]:
    layer = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU(True)]


def _down(inputs: int, outputs: int) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, True)]


class Generator(nn.Sequential):
    """Noise (N, 100, 1, 1) to images (N, 1, 32, 32) in [-1, 1]."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__(
            nn.ConvTranspose2d(NOISE, 4 * width, 4, 1, 0, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(True),
            *_up(4 * width, 2 * width),
            *_up(2 * width, width),
            nn.ConvTranspose2d(width, 1, 4, 2, 1),
            nn.Tanh(),
        )
        self.apply(_initialise)


class Discriminator(nn.Sequential):
    """Images (N, 1, 32, 32) to logits (N,)."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__(
            nn.Conv2d(1, width, 4, 2, 1),
            nn.LeakyReLU(0.2, True),
            *_down(width, 2 * width),
            *_down(2 * width, 4 * width),
            nn.Conv2d(4 * width, 1, 4, 1, 0),
            nn.Flatten(0),
        )
        self.apply(_initialise)


def _initialise(module: nn.Module) -> None:
    """Weights as in the DCGAN paper: normal with deviation 0.02."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
