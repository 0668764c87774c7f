"""A GAN as a LightningModule, watched by one callback: start `sqd up` beside it."""

import argparse
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from skimage.data import lfw_subset
from torch import Tensor, nn
from torch.nn.functional import interpolate, softplus
from torch.utils.data import DataLoader, RandomSampler

from trainer_hooks.lightning import SqdMonitor

NOISE, BATCH = 100, 64


class Gan(LightningModule):
    """Two networks, two optimizers, stepped by hand as Lightning wants it for GANs."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(
            nn.ConvTranspose2d(NOISE, 128, 4, 1, 0, bias=False), nn.BatchNorm2d(128), nn.ReLU(True),
            nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(True),
            nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(True),
            nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2, True),
            nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2, True),
            nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2, True),
            nn.Conv2d(128, 1, 4, 1, 0), nn.Flatten(0),
        )  # fmt: skip

    def configure_optimizers(self) -> Any:
        networks = (self.generator, self.discriminator)
        return [torch.optim.Adam(net.parameters(), 8e-4, (0.5, 0.999)) for net in networks]

    def sample(self, n: int) -> Tensor:
        return self.generator(torch.randn(n, NOISE, 1, 1, device=self.device))

    def training_step(self, real: Tensor) -> None:
        optG, optD = self.optimizers()
        fake = self.sample(len(real))
        judged, fooled = self.discriminator(real), self.discriminator(fake.detach())
        errD = softplus(-judged).mean() + softplus(fooled).mean()
        optD.zero_grad()
        self.manual_backward(errD)
        optD.step()
        errG = softplus(-self.discriminator(fake)).mean()
        optG.zero_grad()
        self.manual_backward(errG)
        optG.step()
        self.log_dict({"loss.G": errG, "loss.D": errD})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=3000)
    iterations = parser.parse_args().iterations
    images = torch.tensor(lfw_subset()[:100], dtype=torch.float32)[:, None]
    faces = interpolate(images, size=32, mode="bilinear") * 2 - 1
    order = RandomSampler(faces, replacement=True, num_samples=iterations * BATCH)
    monitor = SqdMonitor({"G": "generator", "D": "discriminator"}, Gan.sample)
    trainer = Trainer(max_epochs=1, callbacks=[monitor], logger=False, enable_checkpointing=False)
    trainer.fit(Gan(), DataLoader(faces, BATCH, sampler=order))


if __name__ == "__main__":
    main()
