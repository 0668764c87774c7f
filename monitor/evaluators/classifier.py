"""Networks as evaluators: a classifier's certainty is Q, any network's output a feature for D."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import EvaluatorError
from monitor.evaluators.network import Network
from monitor.protocol import Features, Samples

#: How far rounding moves the sum of a row of probabilities from 1 (float16 exports).
SUM_TOLERANCE = 1e-2


class ClassifierScores:
    """Q is the mean top probability, or the mean probability of one class.

    Args:
        network: a classifier; its output may be probabilities or logits.
        name: as it was asked for.
        of_class: number of the class that counts; None: the likeliest of each sample.

    Raises:
        EvaluatorError: the network has no such class.
    """

    def __init__(self, network: Network, name: str, of_class: int | None) -> None:
        self.name, self.provider, self.sha256 = name, network.provider, network.sha256
        self._network, self._class = network, of_class
        self.settings: dict[str, Any] = {}
        if network.dimension is not None:
            self._check(network.dimension)

    def score(self, samples: Samples) -> NDArray[np.float64]:
        """(n,) probabilities."""
        shares = probabilities(self._network.run(samples))
        self._check(shares.shape[1])
        return shares.max(axis=1) if self._class is None else shares[:, self._class]

    def _check(self, classes: int) -> None:
        if classes < 2:
            raise EvaluatorError(f"{self.name} gives {classes} number a sample; no classes in it")
        if self._class is not None and self._class >= classes:
            raise EvaluatorError(
                f"{self.name}: class {self._class} is not among its {classes}, counted from 0"
            )


class NetworkFeatures:
    """Features that are a network's output.

    Args:
        network: the network.
        name: as it was asked for.
    """

    aligns = False
    head = None

    def __init__(self, network: Network, name: str) -> None:
        self.name, self.provider, self.sha256 = name, network.provider, network.sha256
        self.dimension = network.dimension
        self._network = network

    def features(self, samples: Samples) -> Features:
        """(n, d) float32."""
        return Features(self._network.run(samples))


def probabilities(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, k) outputs as probabilities: as they are if they are some already, else their softmax."""
    values = rows.astype(np.float64)
    if (values >= 0).all() and (abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE).all():
        return values.clip(max=1.0)
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares
