"""A diffusion model on 100 real faces, watched: one network and no discriminator.

S.model says how calmly its weights still move, Q how many of its samples are faces, D how many
different ones; the two calls are those of any other trainer. Start
`sqd up --embedder faces100 --reference faces100` beside it. (Ho et al. 2020, "Denoising Diffusion
Probabilistic Models"; sampled as in Song et al. 2021, "Denoising Diffusion Implicit Models".)
"""

import argparse

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from monitor.demo.faces import load_faces
from trainer_hooks import push_samples, push_weights

SIDE, WIDTH, BATCH = 32, 16, 32
#: Levels of noise, and those that sampling visits.
LEVELS, VISITED = 400, 20


class Denoiser(nn.Module):
    """Predicts the noise in an image: a small U-Net of two resolutions below the image's."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Embedding(LEVELS, 4 * WIDTH)
        self.enter = _block(1, WIDTH)
        self.down = nn.ModuleList([_block(WIDTH, 2 * WIDTH, 2), _block(2 * WIDTH, 4 * WIDTH, 2)])
        self.up = nn.ModuleList([_block(6 * WIDTH, 2 * WIDTH), _block(3 * WIDTH, WIDTH)])
        self.leave = nn.Conv2d(WIDTH, 1, 3, padding=1)

    def forward(self, noisy: Tensor, level: Tensor) -> Tensor:
        """(N, 1, 32, 32) images and (N,) levels to (N, 1, 32, 32) noise."""
        fine = self.enter(noisy)
        middle = self.down[0](fine)
        coarse = self.down[1](middle) + self.level(level)[:, :, None, None]
        middle = self.up[0](torch.cat([_doubled(coarse), middle], dim=1))
        noise: Tensor = self.leave(self.up[1](torch.cat([_doubled(middle), fine], dim=1)))
        return noise


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(8, outputs), nn.SiLU(),
        nn.Conv2d(outputs, outputs, 3, 1, 1), nn.GroupNorm(8, outputs), nn.SiLU(),
    )  # fmt: skip


def _doubled(images: Tensor) -> Tensor:
    return nn.functional.interpolate(images, scale_factor=2)


def kept_shares() -> Tensor:
    """(LEVELS,) share of the image's variance that is left at each level, falling."""
    return torch.cumprod(1 - torch.linspace(1e-4, 0.05, LEVELS), dim=0)


def sample(model: Denoiser, kept: Tensor, n: int) -> Tensor:
    """n images (n, 1, 32, 32) from noise, in VISITED deterministic steps."""
    image = torch.randn(n, 1, SIDE, SIDE)
    levels = torch.linspace(LEVELS - 1, 0, VISITED).long()
    for now, then in zip(levels, [*levels[1:], None], strict=True):
        noise = model(image, now.expand(n))
        clean = ((image - (1 - kept[now]).sqrt() * noise) / kept[now].sqrt()).clamp(-1, 1)
        left = torch.ones(()) if then is None else kept[then]
        image = left.sqrt() * clean + (1 - left).sqrt() * noise
    return image.clamp(-1, 1)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description="A diffusion model on 100 faces, watched.")
    parser.add_argument("--iterations", type=int, default=6000)
    iterations = parser.parse_args().iterations
    torch.manual_seed(0)
    faces, kept, model = load_faces(SIDE), kept_shares(), Denoiser()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for step in range(iterations):
        real = faces[torch.randint(len(faces), (BATCH,))]
        level, noise = torch.randint(LEVELS, (BATCH,)), torch.randn_like(real)
        share = kept[level][:, None, None, None]
        loss = mse_loss(model(share.sqrt() * real + (1 - share).sqrt() * noise, level), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        push_weights(step, model=model, scalars={"loss": loss})
        push_samples(step, lambda n: sample(model, kept, n))
        if step % 100 == 0:
            print(f"step {step}: loss {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
