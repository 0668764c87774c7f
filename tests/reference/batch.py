"""Q and D of a sample batch, image by image, as the paper prints them."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import mpmath

from tests.reference.entropy import james_stein_entropy


class Scores(NamedTuple):
    """Q with its standard error, D, and the share of images without a face."""

    quality: float
    quality_stderr: float
    diversity: float
    unaligned: float


def nearest(feature: Sequence[float], centroids: Sequence[Sequence[float]]) -> int:
    """Eq 8: the closest centroid, the first of equally close ones."""
    distances = [math.dist(feature, centroid) for centroid in centroids]
    return distances.index(min(distances))


def scores(probabilities: Sequence[float], modes: Sequence[int], count: int) -> Scores:
    """Eqs 6 and 9 over one probability and one mode an image; `count` modes in all."""
    n = len(probabilities)
    with mpmath.workdps(50):
        values: list[Any] = [mpmath.mpf(p) for p in probabilities]
        mean = sum(values) / n
        spread = mpmath.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
        counts = [sum(mode == each for each in modes) for mode in range(count)]
        unaligned = sum(p == 0 for p in probabilities) / n
        return Scores(float(mean), float(spread), james_stein_entropy(counts), unaligned)
