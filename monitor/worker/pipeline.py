"""Sample chunks to partial results: composes Q and D; no I/O."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.diversity import nearest_mode
from monitor.diversity.alignment import align
from monitor.diversity.embedder import Embedder
from monitor.diversity.reference import ReferenceSet
from monitor.errors import MonitorError
from monitor.quality import Detection
from monitor.worker.frames import SamplesFrame
from monitor.worker.grid import image_grid
from monitor.worker.partial import Partial

#: Channels of grey and of colour images.
GREY, COLOUR = 1, 3


class Detector(Protocol):
    """What finds faces: `monitor.quality.FaceQuality`."""

    def detect(self, images: NDArray[np.uint8]) -> Detection:
        """The likeliest face of each of (N, H, W, 3) uint8 RGB images."""


@dataclass(frozen=True, slots=True)
class Evaluators:
    """What a worker evaluates with, or why it cannot.

    Attributes:
        detector: finds faces.
        embedder, reference: for D, or None with `diversity_failure`.
        device: where they run.
    """

    detector: Detector
    embedder: Embedder | None
    reference: ReferenceSet | None
    device: str = "cpu"
    diversity_failure: str = ""

    def provenance(self) -> dict[str, Any] | None:
        """What D is measured with, to be kept with its points."""
        if self.embedder is None or self.reference is None:
            return None
        modes = len(self.reference.labels)
        return {
            "embedder": self.embedder.name,
            "embedder_sha256": self.embedder.sha256,
            "reference": self.reference.name,
            "modes": modes,
            "ceiling": math.log(modes),
        }


def evaluate_chunk(frame: SamplesFrame, with_: Evaluators) -> Partial:
    """What a chunk contributes to Q and D of its batch."""
    told = Partial(
        n=len(frame.samples),
        values=int(frame.samples.size),
        nonfinite=frame.nonfinite,
        clipped=frame.clipped,
        failure=frame.failure,
    )
    if len(frame.samples) == 0 or frame.failure:
        return told
    if not _are_images(frame.samples):
        shape, dtype = frame.samples.shape[1:], frame.samples.dtype
        reason = f"samples are {dtype} {shape}; faces are looked for in uint8 (1 or 3, H, W)"
        return told + Partial(quality_failure=reason, diversity_failure=reason)
    images = _rgb(frame.samples)
    if frame.part == 0:
        told += Partial(grid=image_grid(images).hex())
    # A batch with a NaN in it has no score; the chunks around it are not worth seconds either.
    return told if frame.nonfinite else told + _evaluate(images, with_)


def _are_images(samples: NDArray[Any]) -> bool:
    if samples.ndim != 4 or samples.dtype != np.uint8:
        return False
    return samples.shape[1] in (GREY, COLOUR) and samples.size > 0


def _rgb(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, C, H, W) to (n, H, W, 3); grey is repeated."""
    channels = samples if samples.shape[1] == COLOUR else np.repeat(samples, COLOUR, axis=1)
    return np.ascontiguousarray(channels.transpose(0, 2, 3, 1))


def _evaluate(images: NDArray[np.uint8], with_: Evaluators) -> Partial:
    try:
        found = with_.detector.detect(images)
    except MonitorError as error:
        return Partial(quality_failure=str(error), diversity_failure=str(error))
    probability = found.probability.astype(np.float64)
    quality = Partial(
        quality_sum=float(probability.sum()),
        quality_squares=float((probability**2).sum()),
        unaligned=int((probability == 0).sum()),
    )
    try:
        return quality + _assign(images, found, with_)
    except MonitorError as error:
        return quality + Partial(diversity_failure=str(error))


def _assign(images: NDArray[np.uint8], found: Detection, with_: Evaluators) -> Partial:
    """How many images are nearest to each mode."""
    if with_.embedder is None or with_.reference is None:
        return Partial(diversity_failure=with_.diversity_failure)
    crops = align(images, found.landmarks, with_.device)
    features = with_.reference.prepare(with_.embedder.embed(crops))
    modes, counts = np.unique(nearest_mode(features, with_.reference.centroids), return_counts=True)
    return Partial(
        modes=dict(zip(modes.tolist(), counts.tolist(), strict=True)),
        measured_with=f"{with_.embedder.sha256} {with_.reference.name}",
    )
