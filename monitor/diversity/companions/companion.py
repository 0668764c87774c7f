"""What every companion of D is: features of a batch in, named scores out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.errors import EvaluatorError, ReferenceError


@dataclass(frozen=True, slots=True)
class Score:
    """One number of a batch.

    Attributes:
        value: of the metric.
        n: samples it is made of.
        stderr: its standard error over the drawing of the samples, None where none is known.
        warning: why there are too few samples to trust it; "" if there are enough.
    """

    value: float
    n: int
    stderr: float | None = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Features of a batch, and what they are compared with.

    Attributes:
        features: (n, d) float64, n > 0, as the reference's are (length 1 if those are).
        reference: (r, d) float64 features of training data, or None.
        missing: why there is no reference.
        normalised: whether features have length 1.
        head: (k, d) weights of the classes that the embedder's features feed, or None.
    """

    features: NDArray[np.float64]
    reference: NDArray[np.float64] | None
    missing: str = ""
    normalised: bool = False
    head: NDArray[np.float32] | None = None

    def compared(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The features and those of the reference.

        Raises:
            ReferenceError: there is no reference, or its features have another length.
        """
        if self.reference is None:
            raise ReferenceError(self.missing)
        if self.reference.shape[1] != self.features.shape[1]:
            raise ReferenceError(
                f"features have {self.features.shape[1]} numbers, the reference's "
                f"{self.reference.shape[1]}"
            )
        return self.features, self.reference

    def logits(self) -> NDArray[np.float64]:
        """(n, k) numbers of the embedder's classes, before their softmax.

        Raises:
            EvaluatorError: it has none, or the features are no longer as long as it made them.
        """
        if self.head is None:
            raise EvaluatorError(
                "this worker's embedder has no classes; start it with --embedder "
                "inception:WEIGHTS.pth"
            )
        if self.normalised:
            raise EvaluatorError(
                "the reference scales features to length 1, which says nothing of their classes: "
                "build it again with `sqd reference build --no-normalise`"
            )
        return self.features @ self.head.T.astype(np.float64)


class Companion(Protocol):
    """A measure of features."""

    @property
    def name(self) -> str:
        """By which a run asks for it."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of its scores."""

    def measure(self, sample: Sample) -> dict[str, Score]:
        """A score for each of `metrics`; neither order nor cuts of the samples matter.

        Raises:
            ReferenceError: it needs a reference that is not there, or more samples or reference
                features than there are.
            EvaluatorError: it needs classes that the embedder does not have.
        """
