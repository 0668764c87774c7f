"""A plain PyTorch GAN on 100 real faces: nothing of sqd-monitor in it. See watched.py."""

import torch
from skimage.data import lfw_subset
from torch import nn
from torch.nn.functional import interpolate, softplus

NOISE, BATCH, STEPS = 100, 64, 3000
device = "cuda" if torch.cuda.is_available() else "cpu"

netG = nn.Sequential(
    nn.ConvTranspose2d(NOISE, 128, 4, 1, 0, bias=False), nn.BatchNorm2d(128), nn.ReLU(True),
    nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(True),
    nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(True),
    nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),
).to(device)  # fmt: skip
netD = nn.Sequential(
    nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2, True),
    nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2, True),
    nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2, True),
    nn.Conv2d(128, 1, 4, 1, 0), nn.Flatten(0),
).to(device)  # fmt: skip
optG = torch.optim.Adam(netG.parameters(), 8e-4, (0.5, 0.999))
optD = torch.optim.Adam(netD.parameters(), 8e-4, (0.5, 0.999))

images = torch.tensor(lfw_subset()[:100], dtype=torch.float32)[:, None]
faces = (interpolate(images, size=32, mode="bilinear") * 2 - 1).to(device)

for step in range(STEPS):
    real = faces[torch.randint(len(faces), (BATCH,))]
    fake = netG(torch.randn(BATCH, NOISE, 1, 1, device=device))
    errD = softplus(-netD(real)).mean() + softplus(netD(fake.detach())).mean()
    optD.zero_grad()
    errD.backward()
    optD.step()
    errG = softplus(-netD(fake)).mean()
    optG.zero_grad()
    errG.backward()
    optG.step()
    if step % 100 == 0:
        print(f"step {step}: loss of D {errD:.3f}, of G {errG:.3f}")
