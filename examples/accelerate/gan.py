"""A GAN on Hugging Face Accelerate, watched: start `sqd up` beside it.

`accelerate launch --num_processes 2 examples/accelerate/gan.py` is one run, too: rank 0 pushes.
"""

import argparse

import torch
from accelerate import Accelerator
from skimage.data import lfw_subset
from torch import nn
from torch.nn.functional import interpolate, softplus
from torch.utils.data import DataLoader, RandomSampler

from trainer_hooks import push_samples, push_weights

NOISE, BATCH = 100, 64


def networks() -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator for 32×32 grey images."""
    generator = nn.Sequential(
        nn.ConvTranspose2d(NOISE, 128, 4, 1, 0, bias=False), nn.BatchNorm2d(128), nn.ReLU(True),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(True),
        nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(True),
        nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2, True),
        nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True),
        nn.Conv2d(128, 1, 4, 1, 0), nn.Flatten(0),
    )  # fmt: skip
    return generator, discriminator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=3000)
    iterations = parser.parse_args().iterations
    accelerator = Accelerator()
    images = torch.tensor(lfw_subset()[:100], dtype=torch.float32)[:, None]
    faces = interpolate(images, size=32, mode="bilinear") * 2 - 1
    total = iterations * BATCH * accelerator.num_processes
    loader = DataLoader(faces, BATCH, sampler=RandomSampler(faces, True, total))
    netG, netD = networks()
    optG = torch.optim.Adam(netG.parameters(), 8e-4, (0.5, 0.999))
    optD = torch.optim.Adam(netD.parameters(), 8e-4, (0.5, 0.999))
    netG, netD, optG, optD, loader = accelerator.prepare(netG, netD, optG, optD, loader)
    # Over several processes `netG` waits for all of them; what it wraps does not.
    alone = accelerator.unwrap_model(netG)

    for step, real in enumerate(loader):
        fake = netG(torch.randn(len(real), NOISE, 1, 1, device=accelerator.device))
        judged, fooled = netD(torch.cat([real, fake.detach()])).split(len(real))
        errD = softplus(-judged).mean() + softplus(fooled).mean()
        optD.zero_grad()
        accelerator.backward(errD)
        optD.step()
        errG = softplus(-netD(fake)).mean()
        optG.zero_grad()
        accelerator.backward(errG)
        optG.step()
        push_weights(step, G=netG, D=netD, scalars={"loss.G": errG, "loss.D": errD})
        push_samples(step, lambda n: alone(torch.randn(n, NOISE, 1, 1, device=accelerator.device)))
        if step % 100 == 0:
            accelerator.print(f"step {step}: loss of D {errD:.3f}, of G {errG:.3f}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
