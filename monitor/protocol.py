"""What Q and D are computed by: evaluators of samples, whatever is inside them."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

#: Samples as a frame carries them: (n, C, H, W) uint8 images, C = 1 or 3, or (n, …) float32.
Samples = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Features:
    """What an embedder makes of n samples.

    Attributes:
        values: (n, d) float32, not normalised.
        unaligned: samples in which it did not find what it aligns by, and took whole.
    """

    values: NDArray[np.float32]
    unaligned: int = 0


class Evaluator(Protocol):
    """What every evaluator says of itself."""

    @property
    def name(self) -> str:
        """As it was asked for, or what it is."""

    @property
    def provider(self) -> str:
        """What it really runs on: an onnxruntime execution provider, a torch device, python."""

    @property
    def sha256(self) -> str:
        """Hash of what decides its answers, in hexadecimal; "" if this package alone does.

        A reference set is bound to it, and what differs in it does not add up.
        """


class QualityEvaluator(Evaluator, Protocol):
    """Scores samples; their mean is Q."""

    @property
    def settings(self) -> dict[str, Any]:
        """What else defines its scores, as JSON; kept with the run for people to read."""

    def score(self, samples: Samples) -> NDArray[np.floating]:
        """(n,) scores, 0 (bad) … 1 (good).

        Raises:
            MonitorError: these samples cannot be scored; Q of their batch fails with the reason.
        """


class Bound(Protocol):
    """What a reference set knows its embedder by."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def dimension(self) -> int | None: ...


class Embedder(Evaluator, Protocol):
    """Turns samples into features; the modes nearest to them make D."""

    @property
    def dimension(self) -> int | None:
        """Length d of a feature; None if only features tell."""

    @property
    def aligns(self) -> bool:
        """Whether it aligns samples, so that `Features.unaligned` means something."""

    @property
    def head(self) -> NDArray[np.float32] | None:
        """(k, d) weights of the classes that its features feed, None if they feed none.

        Lengths of such features mean something; reference sets keep them unless told otherwise.
        """

    def features(self, samples: Samples) -> Features:
        """Features of n samples.

        Raises:
            MonitorError: there are none; D of their batch fails with the reason.
        """
