"""Real images for the tests of Q: scikit-image's faces and non-faces, astronaut."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.data import lfw_subset

from monitor.quality import FaceQuality

#: lfw_subset holds 200 grey images of 25×25 in 0 … 1, the first half faces.
FACES = 100


def resized(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(N, H, W, 3) in side × side pixels, bilinear."""
    shape = (side, side)
    return np.stack(
        [np.asarray(Image.fromarray(x).resize(shape, Image.Resampling.BILINEAR)) for x in images]
    )


@pytest.fixture(scope="session")
def lfw() -> NDArray[np.uint8]:
    """(200, 25, 25, 3) uint8: 100 faces, then 100 pieces of background."""
    grey = (lfw_subset() * 255).round().astype(np.uint8)  # type: ignore[no-untyped-call]
    return np.repeat(grey[..., None], 3, axis=-1)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors on several threads mostly wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def quality() -> FaceQuality:
    """Q on the CPU."""
    return FaceQuality()
