"""Evaluators whose answers the test chooses by the images it draws."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.embedder import Embedder
from monitor.diversity.reference import ReferenceSet
from monitor.errors import EmbedderError, ImageError
from monitor.evaluators.faces import FaceFeatures, FaceFinder, FaceScores
from monitor.quality import Detection
from monitor.worker.pipeline import Evaluators
from tests.arcface import StandIn

#: Brightness that stands for a mode, times its number.
MODE_LEVEL = 10
MODES = 12
SIDE = 16
#: Weights of three classes that a colour may belong to.
HEAD = np.array([[0.02, 0.01], [-0.02, 0.03], [0, 0]], np.float32)


class Painted:
    """Finds a face as probable as the red of the first pixel says, out of 200."""

    def __init__(self, failure: str = "") -> None:
        self.failure = failure
        self.seen = 0

    @property
    def settings(self) -> dict[str, Any]:
        return {"network": "painted"}

    def detect(self, images: NDArray[np.uint8]) -> Detection:
        if self.failure:
            raise ImageError(self.failure)
        self.seen += len(images)
        probability = (images[:, 0, 0, 0] / 200).astype(np.float32)
        return Detection(probability, np.full((len(images), 5, 2), np.nan, np.float32))


class MiddleColour(StandIn):
    """The feature is the colour in the middle of the crop."""

    def __init__(self, failing: bool = False) -> None:
        self.failing = failing

    def forward(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        colours = crops[:, :2, 56, 56].astype(np.float32)
        return np.full_like(colours, np.nan) if self.failing else colours


class Classified(FaceFeatures):
    """Features with classes behind them."""

    head = HEAD


def evaluators(
    *,
    failure: str = "",
    failing_embedder: bool = False,
    name: str = "painted",
    modes: int = MODES,
    detector: Painted | None = None,
    features: NDArray[np.float32] | None = None,
) -> Evaluators:
    """A detector, an embedder and a reference of `modes` grey levels."""
    levels = np.arange(modes, dtype=np.float32)[:, None] * MODE_LEVEL
    reference = ReferenceSet(
        name,
        np.repeat(levels, 2, axis=1),
        np.ones(modes, np.int64),
        tuple(f"level {i}" for i in range(modes)),
        "colour",
        "ab" * 32,
        normalised=False,
        features=features,
    )
    embedder = Embedder("colour", "ab" * 32, 2, "CPU", MiddleColour(failing_embedder))
    finder = FaceFinder(detector or Painted(failure))
    return Evaluators(FaceScores(finder), Classified(finder, embedder), reference)


def embedder_alone(reason: str = "no reference set") -> Evaluators:
    """A detector and an embedder."""
    return dataclasses.replace(evaluators(), reference=None, diversity_failure=reason)


def without_reference(reason: str = "no reference set") -> Evaluators:
    """A detector alone."""
    return Evaluators(FaceScores(FaceFinder(Painted())), None, None, diversity_failure=reason)


def painted(probabilities: Any, modes: Any) -> NDArray[np.uint8]:
    """(n, 3, SIDE, SIDE) uint8: images with these probabilities (out of 200) and modes."""
    levels = np.asarray(modes, np.uint8) * MODE_LEVEL
    images = np.broadcast_to(levels[:, None, None, None], (len(levels), 3, SIDE, SIDE)).copy()
    images[:, 0, 0, 0] = probabilities
    return images


__all__ = [
    "HEAD",
    "EmbedderError",
    "Painted",
    "embedder_alone",
    "evaluators",
    "painted",
    "without_reference",
]
