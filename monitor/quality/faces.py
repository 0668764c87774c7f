"""Quality Q: how sure MTCNN is that an image shows a face, and where its landmarks are."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from monitor.errors import ImageError
from monitor.quality.cascade import FACTOR, LANDMARKS, MIN_FACE_SIZE, THRESHOLDS, Cascade
from monitor.quality.images import SHORTER_SIDE, check_images, enlarge, enlarged_size, to_original
from monitor.quality.threads import own_cores

#: Bytes that a pixel takes on its way through the cascade: 394 measured on faces of 64 px, of
#: which half are their candidates; less with fewer faces, and 1126 on 1024 px tiled with them.
BYTES_PER_PIXEL = 512

#: Bytes for the images looked at at once unless told: 64 of 64 px over all threads, more being no
#: faster on a CPU (measured up to 256); on a GPU 512, so that it has enough to do.
MAX_BATCH_BYTES = {"cpu": 2**27, "cuda": 2**30}


@dataclass(frozen=True, slots=True)
class Detection:
    """The likeliest face of each image.

    Attributes:
        probability: (N,) float32 in [0, 1]; 0 where no face was found.
        landmarks: (N, 5, 2) float32, x and y in pixels of the image as it was given: left eye,
            right eye, nose, left and right corner of the mouth; NaN where no face was found.
    """

    probability: NDArray[np.float32]
    landmarks: NDArray[np.float32]


class FaceQuality:
    """Face probability by MTCNN with facenet-pytorch's weights (SQD paper, eq 6).

    The paper does not say what counts when MTCNN finds several faces, or none: the highest
    probability counts, and 0. Images with a shorter side under 64 px are enlarged first. On a CPU
    pieces of a batch run side by side, one on each of the threads that torch has when this is made.

    Args:
        device: where the three networks run, e.g. ``cpu`` or ``cuda:0``.
        max_batch_bytes: memory for the images looked at in one go, an estimate that pieces are cut
            by (128 MiB let a process grow by 200 to 250 MB, 16 MiB by 50 MB); one image is looked
            at whatever it takes, and where two would take more, one after the other. 0 for 128 MiB
            on a CPU and 1 GiB on a GPU. No score depends on it.
    """

    def __init__(self, device: str = "cpu", max_batch_bytes: int = 0) -> None:
        self._device = torch.device(device)
        default = MAX_BATCH_BYTES.get(self._device.type, MAX_BATCH_BYTES["cpu"])
        self._threads = torch.get_num_threads() if self._device.type == "cpu" else 1
        self._pool = own_cores(self._threads) if self._threads > 1 else None
        self._bytes = max_batch_bytes or default
        self._cascade = Cascade(self._device, self._bytes // self._threads)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that defines the metric, to be stored with its points."""
        return {
            "network": "mtcnn",
            "weights": f"facenet-pytorch {version('facenet-pytorch')}",
            "min_face_size": MIN_FACE_SIZE,
            "thresholds": list(THRESHOLDS),
            "factor": FACTOR,
            "enlarge": f"bilinear, uint8, shorter side to {SHORTER_SIDE} px where below",
        }

    def score(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability of the likeliest face in each image.

        Args:
            images: (N, H, W, 3) uint8, RGB, at least 12 px a side.

        Returns:
            (N,) float32 in [0, 1]; 0 where no face is found. Their mean is Q.

        Raises:
            ImageError: wrong rank, channels, dtype or size.
        """
        return self.detect(images).probability

    def detect(self, images: NDArray[np.uint8]) -> Detection:
        """The likeliest face in each image, with the landmarks that alignment needs.

        Args:
            images: (N, H, W, 3) uint8, RGB, at least 12 px a side.

        Raises:
            ImageError: wrong rank, channels, dtype or size.
        """
        check_images(images)
        probability = np.zeros(len(images), np.float32)
        landmarks = np.full((len(images), LANDMARKS, 2), np.nan, np.float32)

        def look(part: slice) -> None:
            larger = enlarge(images[part])
            found, points = self._cascade(torch.from_numpy(larger).to(self._device))
            probability[part] = found.cpu().numpy()
            landmarks[part] = to_original(
                points.cpu().numpy(), larger.shape[1:3], images.shape[1:3]
            )

        look_in_room = _with_room(look, images.shape[1:3])
        for pieces in self._pieces(images):
            for _ in (self._pool.map if self._pool else map)(look_in_room, pieces):
                pass  # What a piece raised is raised here.
        return Detection(probability, landmarks)

    def _pieces(self, images: NDArray[np.uint8]) -> list[list[slice]]:
        """Parts of a batch that are small enough for one go, those that may be looked at side by
        side together."""
        height, width = enlarged_size(*images.shape[1:3])
        fitting = self._bytes // (BYTES_PER_PIXEL * height * width)
        count = max(1, min(fitting // self._threads, -(-len(images) // self._threads)))
        starts = range(0, len(images), count)
        pieces = [slice(start, min(start + count, len(images))) for start in starts]
        # As many as there are threads need no wait for one another.
        abreast = len(pieces) if fitting >= self._threads else max(1, fitting)
        return [pieces[start : start + abreast] for start in range(0, len(pieces), abreast or 1)]


def _with_room(look: Callable[[slice], None], size: tuple[int, ...]) -> Callable[[slice], None]:
    """The same, at the halves of a part where the GPU's memory, of which a training has the rest,
    does not do for the whole.

    Args:
        look: at images of a batch.
        size: height and width of one, for the error.
    """

    def halving(part: slice) -> None:
        try:
            look(part)
        except torch.cuda.OutOfMemoryError as error:
            if part.stop - part.start == 1:
                raise ImageError(
                    f"one image of {size[1]} × {size[0]} px needs more memory than the GPU has "
                    "left: push smaller images, or raise --max-gpu-bytes"
                ) from error
        else:
            return
        # Outside: until then the error holds what was taken.
        torch.cuda.empty_cache()
        middle = (part.start + part.stop) // 2
        halving(slice(part.start, middle))
        halving(slice(middle, part.stop))

    return halving
