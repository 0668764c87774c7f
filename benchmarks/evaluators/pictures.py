"""Pictures to evaluate: three quarters real faces, a quarter none, no two equal."""

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.data import lfw_subset
from torch.nn.functional import interpolate

#: The first 100 of scikit-image's 200 grey pictures are faces, the rest are not.
FACES = 100
#: Every fourth picture shows no face (numbers.md: 75% faces).
WITHOUT_FACE = 4
#: Grey levels of the noise that tells them apart.
NOISE = 2.5


def pictures(count: int, side: int) -> NDArray[np.uint8]:
    """(count, side, side, 3) uint8."""
    generator = np.random.default_rng(0)
    number = np.arange(count)
    source = number % FACES + FACES * (number % WITHOUT_FACE == 0)
    all_of_them = np.asarray(lfw_subset(), np.float32)  # type: ignore[no-untyped-call]
    planes = torch.from_numpy(all_of_them)[:, None] * 255
    larger = interpolate(planes, size=(side, side), mode="bilinear").numpy()[:, 0]
    chosen = larger[source]
    noisy = chosen + generator.normal(0, NOISE, chosen.shape).astype(np.float32)
    return np.repeat(noisy.clip(0, 255).astype(np.uint8)[..., None], 3, axis=3)
