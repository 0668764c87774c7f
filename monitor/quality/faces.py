"""Quality Q: how sure MTCNN is that an image shows a face, and where its landmarks are."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

from monitor.quality.images import SHORTER_SIDE, check_images, enlarge, enlarged_size, to_original

#: Pixels of the smallest face that is looked for; facenet-pytorch's default. It moves the score
#: (32 instead of 20: ΔQ = −0.0017 at 64 px), so it is part of the metric, not a setting.
MIN_FACE_SIZE = 20

#: Face probability that a candidate needs after each of the three networks; the defaults.
THRESHOLDS = (0.6, 0.7, 0.7)

#: Ratio of neighbouring sizes in the image pyramid; the default.
FACTOR = 0.709

#: Pixels per detector call. The first network's candidates are at most 0.09/(1 − 0.709²) = 0.18
#: a pixel, and facenet-pytorch numbers them in int16: 131,072 pixels cannot reach 32,767. It is
#: also the fastest size measured (32 images of 64 px; 200 at once are 2.5 times slower).
PIXELS_PER_CALL = 2**17

#: Eyes, nose and corners of the mouth.
LANDMARKS = 5


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
    probability counts, and 0. Images with a shorter side under 64 px are enlarged first.

    Args:
        device: where the three networks run, e.g. ``cpu`` or ``cuda:0``.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._mtcnn = MTCNN(
            keep_all=True,
            post_process=False,
            min_face_size=MIN_FACE_SIZE,
            thresholds=list(THRESHOLDS),
            factor=FACTOR,
            device=torch.device(device),
        )

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
        for start, larger in _calls(images):
            _, probs, points = self._mtcnn.detect(larger, landmarks=True)
            for i, (p, marks) in enumerate(zip(probs, points, strict=True), start):
                if marks is not None:
                    best = int(np.argmax(p))
                    probability[i] = p[best]
                    landmarks[i] = to_original(
                        np.asarray(marks[best], np.float32), larger.shape[1:3], images.shape[1:3]
                    )
        return Detection(probability, landmarks)


def _calls(images: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Pieces small enough for one detector call, enlarged, each with the index of its first."""
    height, width = enlarged_size(*images.shape[1:3])
    count = max(1, PIXELS_PER_CALL // (height * width))
    for start in range(0, len(images), count):
        yield start, enlarge(images[start : start + count])
