"""Samples that are images: which are, and the forms that evaluators want them in."""

import numpy as np
from numpy.typing import NDArray

from monitor.errors import ImageError
from monitor.protocol import Samples

#: Rank of a batch of images (n, C, H, W), and channels of grey and of colour images.
RANK, GREY, COLOUR = 4, 1, 3
#: Weights of red, green and blue in grey (ITU-R BT.601, as Pillow does it).
LUMA = (0.299, 0.587, 0.114)


def are_images(samples: Samples) -> bool:
    """Whether samples are (n, C, H, W) uint8 images, C = 1 or 3, with pixels."""
    if samples.ndim != RANK or samples.dtype != np.uint8:
        return False
    return samples.shape[1] in (GREY, COLOUR) and samples.size > 0


def rgb(samples: Samples) -> NDArray[np.uint8]:
    """(n, C, H, W) uint8 images to (n, H, W, 3); grey is repeated.

    Raises:
        ImageError: these samples are no images.
    """
    if not are_images(samples):
        raise ImageError(
            f"samples came as {samples.dtype} {samples.shape[1:]}; faces are looked for in images, "
            "which are pushed as (N, C, H, W) with C = 1 or 3, channels first"
        )
    return np.ascontiguousarray(coloured(samples).transpose(0, 2, 3, 1))


def coloured(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, 1 or 3, H, W) to (n, 3, H, W); grey is repeated."""
    return images if images.shape[1] == COLOUR else np.repeat(images, COLOUR, axis=1)


def with_channels(images: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(n, 1 or 3, H, W) to (n, count, H, W): grey repeated, colour as grey by its luma."""
    if images.shape[1] == count:
        return images
    if count == COLOUR:
        return np.repeat(images, COLOUR, axis=1)
    weights = np.array(LUMA, np.float32)[:, None, None]
    grey: NDArray[np.float32] = (images * weights).sum(axis=1, keepdims=True, dtype=np.float32)
    return grey
