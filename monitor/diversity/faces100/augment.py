"""Seeded augmentations of the faces, as a GAN at 32×32 or 64×64 might show them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

# Largest change of each kind at strength 1; every image draws its own from a uniform law.
#: Shift of the crop, as a part of the frame.
SHIFT = 0.06
#: Logarithm of the zoom.
ZOOM = 0.10
#: Rotation in radians (10 degrees).
ROTATION_RAD = 0.175
#: Brightness in parts of the range black to white.
BRIGHTNESS = 0.12
#: Logarithm of the contrast about the image's mean.
CONTRAST = 0.25
#: Logarithm of the gamma exponent.
GAMMA = 0.25
#: Standard deviation of the Gaussian blur, as a part of the frame (0.8 pixels of 32).
BLUR = 0.025
#: Standard deviation of the noise in parts of the range black to white.
NOISE = 0.04
#: Side of the grey rectangle over half of the images, as a part of the frame.
OCCLUSION = 0.25
#: Part of the 25 pixels' resolution that is lost.
RESOLUTION_LOSS = 0.35

#: Landmarks that change places in a mirror: the eyes and the mouth's corners.
_MIRRORED_ORDER = (1, 0, 2, 4, 3)
#: Keeps powers and divisions away from zero.
_TINY = 1e-6


def augment(
    faces: Tensor, landmarks: Tensor, size: int, strength: float, generator: Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One random view of each face.

    Args:
        faces: (N, h, h) float32 grey in [0, 1].
        landmarks: (N, 5, 2) float32 pixel coordinates in the faces.
        size: side of the views, in pixels.
        strength: 0 only resizes (and mirrors every other face); 1 is what training sees.
        generator: where all chance comes from.

    Returns:
        (N, size, size, 3) uint8 RGB views and (N, 5, 2) float32 landmarks in them.
    """
    chance = _Chance(len(faces), strength, generator)
    views, points = _move(faces, landmarks, size, chance)
    views = _light(_cover(views, chance), chance)
    views = _lose_detail(_blur(views, chance), faces.shape[-1], chance)
    views = views + chance.positive(NOISE) * torch.randn(views.shape, generator=generator)
    levels = (views.clamp(0, 1) * np.iinfo(np.uint8).max).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy(), points.numpy()


class _Chance:
    """Draws of one value per image, shaped (N, 1, 1, 1)."""

    def __init__(self, count: int, strength: float, generator: Generator) -> None:
        self.count, self.strength, self.generator = count, strength, generator

    def uniform(self) -> Tensor:
        return torch.rand(self.count, 1, 1, 1, generator=self.generator)

    def coin(self) -> Tensor:
        return self.uniform() < 1 / 2

    def positive(self, largest: float) -> Tensor:
        return largest * self.strength * self.uniform()

    def signed(self, largest: float) -> Tensor:
        return largest * self.strength * (2 * self.uniform() - 1)


def _move(faces: Tensor, landmarks: Tensor, size: int, chance: _Chance) -> tuple[Tensor, Tensor]:
    """Zoom, rotate, shift and mirror; beyond the edge its pixels go on."""
    zoom, turn = chance.signed(ZOOM).exp().flatten(), chance.signed(ROTATION_RAD).flatten()
    mirrored = chance.coin().flatten()
    x_axis = torch.where(mirrored, -1.0, 1.0)
    matrix = torch.stack([turn.cos() * x_axis, -turn.sin(), turn.sin() * x_axis, turn.cos()], -1)
    matrix = (matrix / zoom[:, None]).reshape(-1, 2, 2)
    shift = 2 * torch.cat([chance.signed(SHIFT), chance.signed(SHIFT)], -1).reshape(-1, 2, 1)
    grid = affine_grid(
        torch.cat([matrix, shift], -1), [len(faces), 1, size, size], align_corners=False
    )
    views = grid_sample(faces[:, None], grid, padding_mode="border", align_corners=False)
    # The grid says where a view's pixel comes from; the landmarks go the other way.
    relative = (2 * landmarks + 1) / faces.shape[-1] - 1
    relative = (torch.linalg.inv(matrix) @ (relative.mT - shift)).mT
    points = ((relative + 1) * size - 1) / 2
    order = list(_MIRRORED_ORDER)
    return views, torch.where(mirrored[:, None, None], points[:, order], points)


def _cover(views: Tensor, chance: _Chance) -> Tensor:
    """A grey rectangle over half of the images."""
    place = (torch.arange(views.shape[-1]) + 0.5) / views.shape[-1]
    across = (place - chance.uniform()).abs() < chance.positive(OCCLUSION) / 2
    down = (place[:, None] - chance.uniform()).abs() < chance.positive(OCCLUSION) / 2
    return torch.where(across & down & chance.coin(), chance.uniform(), views)


def _light(views: Tensor, chance: _Chance) -> Tensor:
    views = views.clamp(min=_TINY) ** chance.signed(GAMMA).exp()
    mean = views.mean(dim=(1, 2, 3), keepdim=True)
    return (views - mean) * chance.signed(CONTRAST).exp() + mean + chance.signed(BRIGHTNESS)


def _blur(views: Tensor, chance: _Chance) -> Tensor:
    """Gaussian blur with each image's own width, as a product with a Toeplitz matrix a side."""
    place = torch.arange(views.shape[-1])
    deviation = chance.positive(BLUR) * views.shape[-1] + _TINY
    kernel = torch.exp(-((place - place[:, None]) ** 2) / (2 * deviation**2))
    kernel = kernel / kernel.sum(dim=-1, keepdim=True)
    return kernel @ views @ kernel.mT


def _lose_detail(views: Tensor, detail: int, chance: _Chance) -> Tensor:
    """Down to a number of pixels between the faces' own and RESOLUTION_LOSS below, and up again."""
    kept = (detail * (1 - chance.positive(RESOLUTION_LOSS))).round().flatten().int()
    result = views.clone()
    for side in sorted(set(kept.tolist())):
        part = kept == side
        small = interpolate(views[part], side, mode="bilinear", antialias=True)
        result[part] = interpolate(small, views.shape[-1], mode="bilinear")
    return result
