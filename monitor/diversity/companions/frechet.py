"""Fréchet distance of two Gaussians: FID's formula on this worker's features."""

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.companions.companion import Sample, Score
from monitor.errors import ReferenceError

#: Features below which a covariance is unsure by more than a seventh, √(2/n), whatever d is.
LEAST = 100


class FrechetDistance:
    """‖μ − μ'‖² + tr(Σ + Σ' − 2 (Σ Σ')^½) of features and the reference's.

    Heusel et al. 2017, "GANs trained by a two time-scale update rule", eq 6, with whatever embedder
    the worker has in place of Inception. It is biased upwards, by about 1/n: comparable only at
    equal n, reference and embedder.
    """

    name = "frechet"
    metrics = ("D.frechet",)

    def measure(self, sample: Sample) -> dict[str, Score]:
        """At least 0, in squared units of the features.

        Raises:
            ReferenceError: no reference, or fewer than two samples or reference features.
        """
        features, reference = sample.compared()
        few = min(len(features), len(reference))
        if few < 2:
            raise ReferenceError(
                f"{len(features)} samples and {len(reference)} reference features; both must be "
                "at least 2"
            )
        shift = features.mean(axis=0) - reference.mean(axis=0)
        made, real = _spread(features), _spread(reference)
        # The singular values of A Bᵀ are the square roots of the eigenvalues of AᵀA BᵀB.
        common = np.linalg.svd(made @ real.T, compute_uv=False).sum()
        value = shift @ shift + (made**2).sum() + (real**2).sum() - 2 * common
        least = max(LEAST, features.shape[1] + 1)
        warning = "" if few >= least else (
            f"{len(features)} samples and {len(reference)} reference features; covariances of "
            f"{features.shape[1]} numbers need at least {least} of each"
        )  # fmt: skip
        return {"D.frechet": Score(max(0.0, float(value)), len(features), warning=warning)}


def _spread(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """(min(n, d), d) matrix A with AᵀA the covariance."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    root: NDArray[np.float64] = np.linalg.qr(centred)[1]
    return root
