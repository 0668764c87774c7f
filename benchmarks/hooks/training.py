"""The training that everything is measured in: a DCGAN of the paper's size."""

import torch
from torch import nn
from torch.nn.functional import softplus

#: Length of the noise vector, and channels of the images.
NOISE, CHANNELS = 100, 3
#: Sides of the images, pixels.
SIZE = 64
#: Images that stand for a data set; loading real ones would only add noise to the figures.
IMAGES = 256
#: Adam as in the DCGAN paper.
LEARNING_RATE, BETAS = 2e-4, (0.5, 0.999)


def _up(inputs: int, outputs: int) -> list[nn.Module]:
    layer = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.ReLU(True)]


def _down(inputs: int, outputs: int) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
    return [layer, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, True)]


def generator(width: int) -> nn.Module:
    """Noise (N, 100, 1, 1) to images (N, 3, 64, 64); 3.58 M parameters at width 64."""
    return nn.Sequential(
        nn.ConvTranspose2d(NOISE, 8 * width, 4, 1, 0, bias=False),
        nn.BatchNorm2d(8 * width),
        nn.ReLU(True),
        *_up(8 * width, 4 * width),
        *_up(4 * width, 2 * width),
        *_up(2 * width, width),
        nn.ConvTranspose2d(width, CHANNELS, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


def discriminator(width: int) -> nn.Module:
    """Images (N, 3, 64, 64) to logits (N,); 2.77 M parameters at width 64."""
    return nn.Sequential(
        nn.Conv2d(CHANNELS, width, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, True),
        *_down(width, 2 * width),
        *_down(2 * width, 4 * width),
        *_down(4 * width, 8 * width),
        nn.Conv2d(8 * width, 1, 4, 1, 0, bias=False),
        nn.Flatten(0),
    )


class Training:
    """One iteration at a time.

    Args:
        device: ``cpu`` or ``cuda``.
        batch: images of one iteration.
        width: channels of the narrowest hidden layer (ngf, ndf).
    """

    def __init__(self, device: str, batch: int, width: int) -> None:
        torch.manual_seed(0)
        self.device, self.batch = torch.device(device), batch
        self.netG = generator(width).to(self.device)
        self.netD = discriminator(width).to(self.device)
        self.optG = torch.optim.Adam(self.netG.parameters(), LEARNING_RATE, BETAS)
        self.optD = torch.optim.Adam(self.netD.parameters(), LEARNING_RATE, BETAS)
        self.images = torch.rand(IMAGES, CHANNELS, SIZE, SIZE, device=self.device) * 2 - 1
        self.step = 0

    @property
    def parameters(self) -> dict[str, int]:
        """Number of weights of each network."""
        networks = {"G": self.netG, "D": self.netD}
        return {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}

    def iterate(self) -> dict[str, torch.Tensor]:
        """One step of both networks; their losses, still on the device."""
        self.step += 1
        fake = self.netG(torch.randn(self.batch, NOISE, 1, 1, device=self.device))
        real = self.images[torch.randint(IMAGES, (self.batch,), device=self.device)]
        errD = softplus(-self.netD(real)).mean() + softplus(self.netD(fake.detach())).mean()
        self.optD.zero_grad()
        errD.backward()  # type: ignore[no-untyped-call]
        self.optD.step()
        errG = softplus(-self.netD(fake)).mean()
        self.optG.zero_grad()
        errG.backward()  # type: ignore[no-untyped-call]
        self.optG.step()
        return {"loss.G": errG.detach(), "loss.D": errD.detach()}

    def wait(self) -> None:
        """Until the device has done what it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
