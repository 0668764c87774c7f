"""Checks a batch of images and brings it to a size in which faces can be found."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from monitor.errors import ImageError

#: Pixels: images whose shorter side is below this are enlarged to it (a 32 px face fills fewer
#: than the 20 px that the detector looks for once margins are off; Q 0.988 becomes 0.999).
SHORTER_SIDE = 64

#: Pixels: the detector's smallest window; below it nothing in the image could be called a face.
SMALLEST_SIDE = 12

#: Red, green, blue; grey images are repeated by whoever knows that they are grey.
CHANNELS = 3


def check_images(images: NDArray[Any]) -> None:
    """Raises ImageError unless images are (N, H, W, 3) uint8 with H, W of at least 12 px."""
    if not isinstance(images, np.ndarray):
        raise ImageError(
            f"images are a {type(images).__name__}, but must be a uint8 array (N, H, W, 3): "
            "convert them with numpy.asarray"
        )
    if images.ndim != 4:
        raise ImageError(
            f"images have shape {images.shape}, but must have 4 dimensions (N, H, W, 3): "
            "put a single image into a batch of one"
        )
    if images.shape[3] != CHANNELS:
        raise ImageError(
            f"images have shape {images.shape} with {images.shape[3]} channels, but must have 3 in "
            "the last dimension: repeat grey images three times and move channels last"
        )
    if images.dtype != np.uint8:
        raise ImageError(
            f"images are {images.dtype}, but must be uint8 in 0 … 255: scale and round them first"
        )
    height, width = images.shape[1:3]
    if min(height, width) < SMALLEST_SIDE:
        raise ImageError(
            f"images are {height}x{width} pixels, but both sides must have at least "
            f"{SMALLEST_SIDE}: enlarge them first"
        )


def enlarged_size(height: int, width: int) -> tuple[int, int]:
    """Height and width in which faces are looked for: the shorter side is at least 64 px."""
    shorter = min(height, width)
    if shorter >= SHORTER_SIDE:
        return height, width
    return round(height * SHORTER_SIDE / shorter), round(width * SHORTER_SIDE / shorter)


def enlarge(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images in their `enlarged_size`, bilinear, rounded back to uint8.

    Args:
        images: (N, H, W, 3) uint8, N ≥ 1.

    Returns:
        (N, H', W', 3) uint8, a copy without gaps.
    """
    size = enlarged_size(*images.shape[1:3])
    if size == images.shape[1:3]:
        return images.copy()
    planes = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float()
    larger = interpolate(planes, size=size, mode="bilinear", align_corners=False)
    return larger.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def to_original(
    points: NDArray[np.float32], found_in: tuple[int, int], original: tuple[int, int]
) -> NDArray[np.float32]:
    """Points of enlarged images in the original's pixels (the centre of the first is 0, 0).

    Args:
        points: (..., 2) float32, x and y.
        found_in: height and width of the image in which they were found.
        original: height and width of the image in which they are wanted.

    Returns:
        (..., 2) float32.
    """
    scale = np.array([original[1] / found_in[1], original[0] / found_in[0]], np.float32)
    moved: NDArray[np.float32] = (points + np.float32(0.5)) * scale - np.float32(0.5)
    return moved
