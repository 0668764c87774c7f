"""Precision, recall, density and coverage: which samples lie among the reference's neighbours."""

import math

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.companions.companion import Sample, Score
from monitor.errors import ReferenceError

#: Nearest neighbours that span a ball; Naeem et al. choose it.
NEIGHBOURS = 5
#: Samples per reference feature below which recall and coverage tell of n, not of the generator: a
#: perfect generator's coverage is 0.87 there, 0.97 with as many samples as features.
LEAST_RATIO = 0.5

Distances = NDArray[np.float64]


class Neighbours:
    """Manifolds as balls around features, each as far as its fifth neighbour.

    Naeem et al. 2020, "Reliable fidelity and diversity metrics", eqs 3–9; their coverage is here
    `D.prdc_coverage`, since `D.coverage` is another.
    """

    name = "prdc"
    metrics = ("D.precision", "D.recall", "D.density", "D.prdc_coverage")

    def measure(self, sample: Sample) -> dict[str, Score]:
        """Shares 0 … 1, density from 0 to beyond 1.

        Raises:
            ReferenceError: no reference, or not more than five samples or reference features.
        """
        features, reference = sample.compared()
        n, r = len(features), len(reference)
        if min(n, r) <= NEIGHBOURS:
            raise ReferenceError(
                f"{n} samples and {r} reference features; {NEIGHBOURS} neighbours of each need "
                f"at least {NEIGHBOURS + 1}"
            )
        across = squared_distances(reference, features)
        real, made = _radii(reference), _radii(features)
        inside = across < real[:, None]
        precise, dense = inside.any(axis=0), inside.sum(axis=0) / NEIGHBOURS
        recalled, covered = (across < made).any(axis=1), across.min(axis=1) < real
        least = math.ceil(LEAST_RATIO * r)
        few = f"{n} samples; {r} reference features need at least {least}" if n < least else ""
        return {
            # The reference is fixed: these are means over the samples.
            "D.precision": Score(float(precise.mean()), n, _stderr(np.asarray(precise))),
            "D.recall": Score(float(recalled.mean()), n, warning=few),
            "D.density": Score(float(dense.mean()), n, _stderr(dense)),
            "D.prdc_coverage": Score(float(covered.mean()), n, warning=few),
        }


def squared_distances(left: NDArray[np.float64], right: NDArray[np.float64]) -> Distances:
    """(n, d), (m, d) to (n, m) squared Euclidean distances."""
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    distances: Distances = np.maximum(squares - 2 * (left @ right.T), 0)
    return distances


def _radii(features: NDArray[np.float64]) -> Distances:
    """(n,) squared distance of each feature's fifth neighbour."""
    distances = squared_distances(features, features)
    # Rounding must not make a feature its own farther neighbour.
    np.fill_diagonal(distances, 0)
    radii: Distances = np.partition(distances, NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    return radii


def _stderr(each: NDArray[np.bool_] | NDArray[np.float64]) -> float:
    return float(each.std(ddof=1) / math.sqrt(len(each)))
