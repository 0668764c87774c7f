"""A folder of images: CelebA as it is unpacked, or anything else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
#: Brightest value of a decoded image.
WHITE = 255
#: Most bytes of decoded images that are kept: CelebA at 64×64 takes 2.5 GB.
CACHE_BYTES = 4 * 2**30
#: Threads that decode; Pillow lets go of the interpreter while it does.
THREADS = 4


class ImageFolder:
    """Every image below a folder, its middle square resized; decoded once, then kept.

    The label is the subfolder of the top that it is in (one label if there are none).
    """

    def __init__(self, path: Path, side: int) -> None:
        """List the images.

        Raises:
            ValueError: there are none.
        """
        images = (image for image in path.rglob("*") if image.suffix.lower() in SUFFIXES)
        self._paths = sorted(images)
        if not self._paths:
            kinds = ", ".join(sorted(SUFFIXES))
            raise ValueError(f"the folder {str(path)!r} holds no image ({kinds})")
        tops = [image.relative_to(path).parts[0] for image in self._paths]
        folders = sorted({top for top in tops if (path / top).is_dir()})
        index = {folder: label for label, folder in enumerate(folders)}
        self._labels = torch.tensor([index.get(top, 0) for top in tops])
        self.classes = max(1, len(folders))
        self._side = side
        kept = min(len(self._paths), CACHE_BYTES // (3 * side * side))
        # Memory that nobody has written to is not taken yet.
        self._cache = torch.empty(kept, 3, side, side, dtype=torch.uint8)
        self._decoded = torch.zeros(kept, dtype=torch.bool)
        self._pool = ThreadPoolExecutor(THREADS)

    def __len__(self) -> int:
        return len(self._paths)

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """(n, 3, side, side) float32 in [−1, 1], each mirrored or not, and (n,) labels."""
        chosen = torch.randint(len(self), (n,))
        images = torch.stack(list(self._pool.map(self._image, chosen.tolist())))
        images = torch.where(torch.rand(n, 1, 1, 1) < 0.5, images.flip(3), images)
        return images / (WHITE / 2) - 1, self._labels[chosen]

    def _image(self, index: int) -> Tensor:
        if index >= len(self._cache):
            return decode(self._paths[index], self._side)
        if not self._decoded[index]:
            self._cache[index] = decode(self._paths[index], self._side)
            self._decoded[index] = True
        return self._cache[index]


def decode(path: Path, side: int) -> Tensor:
    """(3, side, side) uint8: the middle square of an image, resized."""
    with Image.open(path) as image:
        short = min(image.size)
        left, top = ((length - short) // 2 for length in image.size)
        # Cut before it is resized, or the filter would reach across the edge.
        square = image.convert("RGB").crop((left, top, left + short, top + short))
        middle = square.resize((side, side), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(middle)).permute(2, 0, 1)
