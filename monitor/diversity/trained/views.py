"""Random views of pictures, as a generator might show their subjects."""

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

#: Largest shift, as a part of the frame; largest logarithm of the zoom; largest rotation, radians.
SHIFT, ZOOM, ROTATION_RAD = 0.1, 0.2, math.radians(10)
#: Largest change of brightness, in parts of black to white; largest logarithm of the contrast.
BRIGHTNESS, CONTRAST = 0.15, 0.3
#: Standard deviation of the noise, in parts of black to white.
NOISE = 0.02


def random_views(pictures: Tensor, generator: Generator) -> Tensor:
    """One view of each: moved, turned, mirrored, lit otherwise, noisy.

    Args:
        pictures: (N, 3, S, S) float32, 0 … 1.
        generator: where all chance comes from, on the CPU.

    Returns:
        (N, 3, S, S) float32, 0 … 1, on the pictures' device.
    """
    moved = grid_sample(
        pictures,
        affine_grid(_moves(len(pictures), generator).to(pictures), list(pictures.shape),
                    align_corners=False),
        padding_mode="reflection", align_corners=False,
    )  # fmt: skip
    light = _signed(len(pictures), BRIGHTNESS, generator).to(pictures)[:, None, None, None]
    contrast = _signed(len(pictures), CONTRAST, generator).exp().to(pictures)[:, None, None, None]
    mean = moved.mean(dim=(1, 2, 3), keepdim=True)
    noise = torch.randn(pictures.shape, generator=generator).to(pictures) * NOISE
    return ((moved - mean) * contrast + mean + light + noise).clamp(0, 1)


def _moves(count: int, generator: Generator) -> Tensor:
    """(count, 2, 3) affine matrices."""
    zoom = _signed(count, ZOOM, generator).exp()
    turn = _signed(count, ROTATION_RAD, generator)
    mirrored = torch.where(torch.rand(count, generator=generator) < 1 / 2, -1.0, 1.0)
    across, down = (2 * _signed(count, SHIFT, generator) for _ in range(2))
    first = torch.stack([zoom * turn.cos() * mirrored, -zoom * turn.sin(), across], -1)
    second = torch.stack([zoom * turn.sin() * mirrored, zoom * turn.cos(), down], -1)
    return torch.stack([first, second], dim=1)


def _signed(count: int, largest: float, generator: Generator) -> Tensor:
    return largest * (2 * torch.rand(count, generator=generator) - 1)
