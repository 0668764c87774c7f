"""Faces: Q by MTCNN's face probability, D by ArcFace's features of aligned crops."""

import hashlib
import json
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.alignment import align
from monitor.diversity.embedder import Embedder as ArcFace
from monitor.diversity.session import MAX_GPU_BYTES
from monitor.evaluators.images import rgb
from monitor.protocol import Features, Samples
from monitor.quality import Detection


class Detector(Protocol):
    """What finds faces: `monitor.quality.FaceQuality`."""

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that defines what it finds."""

    def detect(self, images: NDArray[np.uint8]) -> Detection:
        """The likeliest face of each of (n, H, W, 3) uint8 RGB images."""


class FaceFinder:
    """Finds the likeliest face of each sample; Q and D of the same samples share what it found.

    Args:
        detector: finds faces.
        device: the torch device on which it does, and on which faces are aligned.
        max_gpu_bytes: of that device's memory that each network beside it may hold.
    """

    def __init__(
        self, detector: Detector, device: str = "cpu", max_gpu_bytes: int = MAX_GPU_BYTES
    ) -> None:
        self.device, self.max_gpu_bytes = device, max_gpu_bytes
        self.settings = detector.settings
        self._detector = detector
        self._last: tuple[Samples, NDArray[np.uint8], Detection] | None = None

    def find(self, samples: Samples) -> tuple[NDArray[np.uint8], Detection]:
        """The samples as (n, H, W, 3) uint8 RGB images, and their faces.

        Raises:
            ImageError: these samples are no images, or too small.
        """
        if self._last is None or self._last[0] is not samples:
            images = rgb(samples)
            self._last = samples, images, self._detector.detect(images)
        return self._last[1:]


class FaceScores:
    """Quality of faces (SQD paper, eq 6).

    Args:
        finder: finds them.
    """

    name = "mtcnn"

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self.provider, self.settings = finder.device, finder.settings
        told = json.dumps(self.settings, sort_keys=True)
        self.sha256 = hashlib.sha256(told.encode()).hexdigest()

    def score(self, samples: Samples) -> NDArray[np.float32]:
        """Probability of the likeliest face in each sample, 0 without one."""
        return self._finder.find(samples)[1].probability


class FaceFeatures:
    """Identity features of faces; an image without a face is taken whole (eqs 7–8).

    Args:
        finder: finds them.
        embedder: makes features of aligned crops.
    """

    aligns = True
    head: NDArray[np.float32] | None = None

    def __init__(self, finder: FaceFinder, embedder: ArcFace) -> None:
        self._finder = finder
        self._embedder = embedder
        self.name, self.sha256 = embedder.name, embedder.sha256
        self.dimension, self.provider = embedder.dimension, embedder.provider

    def features(self, samples: Samples) -> Features:
        """ArcFace features of each sample's likeliest face."""
        images, found = self._finder.find(samples)
        crops = align(images, found.landmarks, self._finder.device)
        unaligned = int((found.probability == 0).sum())
        return Features(self._embedder.embed(crops), unaligned)
