"""The 100 real faces that come with scikit-image, so that the demo needs no download."""

import numpy as np
import torch
from skimage.data import lfw_subset
from torch import Tensor
from torch.nn.functional import interpolate

#: The first 100 of the 200 images are faces, the rest are not.
FACES = 100


def load_faces(size: int) -> Tensor:
    """(100, 1, size, size) float32 in [-1, 1]: grey faces of Labeled Faces in the Wild."""
    images = lfw_subset()  # type: ignore[no-untyped-call]
    faces = torch.from_numpy(np.asarray(images[:FACES], np.float32))[:, None]
    resized = interpolate(faces, size=(size, size), mode="bilinear", align_corners=False)
    return (resized * 2 - 1).clamp(-1, 1)
