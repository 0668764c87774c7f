"""Kernel distance (KID): the squared maximum mean discrepancy of a cubic kernel."""

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.companions.companion import Sample, Score
from monitor.errors import ReferenceError

#: Degree of the kernel (Bińkowski et al. 2018).
DEGREE = 3
#: Samples below which its standard error is itself unsure by more than a tenth or so.
LEAST = 100
#: Samples that leave-one-out needs.
LEAST_FOR_STDERR = 3


class KernelDistance:
    """Unbiased estimate of MMD² with (xᵀy/s + 1)³, s = d, or 1 for features of length 1.

    Bińkowski et al. 2018, "Demystifying MMD GANs", section 4, over all pairs instead of blocks.
    Their s is always d, for Inception's features; unit vectors it would make all alike, so these
    count as if each coordinate had a mean square of 1.
    """

    name = "kid"
    metrics = ("D.kid",)

    def measure(self, sample: Sample) -> dict[str, Score]:
        """0 for a perfect generator on average, so it may be below; standard error by jackknife.

        Raises:
            ReferenceError: no reference, or fewer than two samples or reference features.
        """
        features, reference = sample.compared()
        n, r = len(features), len(reference)
        if min(n, r) < 2:
            raise ReferenceError(f"{n} samples and {r} reference features; both must be at least 2")
        scale = 1.0 if sample.normalised else float(features.shape[1])
        own, across = _sums(features, features, scale), _sums(features, reference, scale)
        own -= _kernel((features**2).sum(axis=1), scale)
        theirs = _sums(reference, reference, scale).sum()
        theirs -= _kernel((reference**2).sum(axis=1), scale).sum()
        fixed = theirs / (r * (r - 1))
        value = own.sum() / (n * (n - 1)) + fixed - 2 * across.sum() / (n * r)
        warning = f"{n} samples; at least {LEAST} are needed" if n < LEAST else ""
        stderr = _jackknife(own, across, r) if n >= LEAST_FOR_STDERR else None
        return {"D.kid": Score(float(value), n, stderr, warning)}


def _kernel(products: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    return (products / scale + 1) ** DEGREE


def _sums(
    left: NDArray[np.float64], right: NDArray[np.float64], scale: float
) -> NDArray[np.float64]:
    """(n,) kernel of each feature on the left with all on the right."""
    sums: NDArray[np.float64] = _kernel(left @ right.T, scale).sum(axis=1)
    return sums


def _jackknife(own: NDArray[np.float64], across: NDArray[np.float64], r: int) -> float:
    """Standard error over the samples; the reference is fixed."""
    n = len(own)
    pairs = (own.sum() - 2 * own) / ((n - 1) * (n - 2))
    without = pairs - 2 * (across.sum() - across) / ((n - 1) * r)
    return float(np.sqrt((n - 1) * without.var()))
