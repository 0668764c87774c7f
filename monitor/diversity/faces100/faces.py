"""The 100 faces of scikit-image's `lfw_subset` with their landmarks, and crops of their views."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from monitor.diversity.alignment import align
from monitor.diversity.faces100.augment import augment
from monitor.errors import ImageError

#: The subset's first hundred images are faces, of as many people; the rest are not faces.
FACES = 100
#: MTCNN sees the 25×25 faces enlarged to this side: its smallest face is 20 pixels.
_DETECTION_SIZE = 64
#: Standard deviation of MTCNN's landmarks on views about where they should be, as a part of the
#: frame: measured 0.05 at strength 1. Half of it moves all five points together.
_COMMON_JITTER, _OWN_JITTER = 0.035, 0.035


def load_faces() -> tuple[Tensor, Tensor]:
    """The faces, and where MTCNN sees their eyes, nose and mouth.

    Returns:
        (100, 25, 25) float32 in [0, 1] and (100, 5, 2) float32 pixel coordinates.

    Raises:
        ImageError: MTCNN finds no face in one of them.
    """
    from facenet_pytorch import MTCNN  # takes seconds
    from skimage.data import lfw_subset

    faces = torch.from_numpy(np.asarray(lfw_subset()[:FACES], np.float32))  # type: ignore[no-untyped-call]
    large = interpolate(faces[:, None], _DETECTION_SIZE, mode="bilinear")
    levels = (large * np.iinfo(np.uint8).max).round().to(torch.uint8)
    images = list(levels.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy())
    boxes, probabilities, points = MTCNN(device="cpu").detect(images, landmarks=True)
    if any(found is None for found in boxes):
        raise ImageError("MTCNN found no face in one of the 100 faces; is lfw_subset another?")
    best = [found[np.argmax(chances)] for found, chances in zip(points, probabilities, strict=True)]
    scale = faces.shape[-1] / _DETECTION_SIZE
    landmarks = (torch.from_numpy(np.array(best, np.float32)) + 0.5) * scale - 0.5
    return faces, landmarks


def view_crops(
    faces: Tensor,
    landmarks: Tensor,
    size: int,
    strength: float,
    whole: Tensor,
    generator: Generator,
) -> NDArray[np.uint8]:
    """112×112 crops of one random view of each face, as the monitor would cut them.

    Args:
        faces: (N, h, h) float32 in [0, 1].
        landmarks: (N, 5, 2) float32 pixel coordinates.
        size: side of the views in pixels.
        strength: of the augmentation, and of the landmarks' scatter.
        whole: (N,) bool, where no face was found, so that the view is resized whole.
        generator: where all chance comes from.

    Returns:
        (N, 112, 112, 3) uint8 RGB.
    """
    views, points = augment(faces, landmarks, size, strength, generator)
    common = _COMMON_JITTER * torch.randn(len(faces), 1, 2, generator=generator)
    own = _OWN_JITTER * torch.randn(len(faces), 5, 2, generator=generator)
    scattered = points + strength * size * (common + own).numpy()
    scattered[whole.numpy()] = np.nan
    return align(views, scattered).numpy()
