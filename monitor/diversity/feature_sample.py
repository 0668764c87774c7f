"""Features that a reference set keeps for D's companions: a few, drawn evenly, always the same."""

import numpy as np
from numpy.typing import NDArray

#: Features kept: as many as the paper's batches have samples; 4 MB at d = 512.
MOST_FEATURES = 2000
#: Seed of the draw.
SEED = 0


class FeatureSample:
    """A uniform draw without replacement from features that pass by once.

    Each feature gets a random key, and those with the smallest stay. Only the order of all features
    decides, not how they are cut into calls of `add`.

    Args:
        most: how many are kept.

    Attributes:
        kept: (k, d) float32, k ≤ most, in the order in which they passed; None before the first.
    """

    def __init__(self, most: int = MOST_FEATURES) -> None:
        self.kept: NDArray[np.float32] | None = None
        self._most = most
        self._keys = np.empty(0)
        self._drawn = np.random.default_rng(SEED)

    def add(self, features: NDArray[np.float32]) -> None:
        """Let (n, d) features pass."""
        keys = np.concatenate([self._keys, self._drawn.random(len(features))])
        together = features if self.kept is None else np.concatenate([self.kept, features])
        stay = np.sort(np.argsort(keys, kind="stable")[: self._most])
        self._keys, self.kept = keys[stay], together[stay]
