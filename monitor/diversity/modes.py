"""Which mode of the reference set a feature belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.errors import EmbedderError, ReferenceError

if TYPE_CHECKING:
    from torch import Tensor

    #: The answer is of the kind that the features are.
    Features = TypeVar("Features", NDArray[Any], Tensor)

#: Distances held at a time: 32 MiB of float64, whatever the number of images and modes.
DISTANCES_PER_CHUNK = 4 * 2**20

#: How far rounding can move a squared distance, relative to |f|² + |c|² and per dimension: each of
#: d products and sums adds at most one float64 epsilon (2.2e-16), on either side of a comparison.
ROUNDING_PER_DIMENSION = 2 * 2.3e-16


def nearest_mode(features: Features, centroids: NDArray[Any] | Tensor) -> Features:
    """Index of the centroid closest to each feature (SQD paper, eq 8).

    Distances are Euclidean, in float64. Of centroids that are equally close the first wins.

    Args:
        features: (N, d) array or tensor of any float dtype.
        centroids: (m, d) mean feature per mode (eq 7), m ≥ 1.

    Returns:
        (N,) int64 in [0, m); a tensor on the features' device if they are a tensor.

    Raises:
        ReferenceError: there are no centroids, or their dimension is not the features'.
        EmbedderError: a feature is not finite.
    """
    rows, targets = _float64(features), _float64(centroids)
    _check(rows, targets)
    squares = np.square(targets).sum(axis=1)
    nearest = np.empty(len(rows), np.int64)
    size = max(1, DISTANCES_PER_CHUNK // len(targets))
    for start in range(0, len(rows), size):
        nearest[start : start + size] = _nearest(rows[start : start + size], targets, squares)
    if isinstance(features, np.ndarray):
        return nearest
    import torch

    return torch.from_numpy(nearest).to(features.device)


def _nearest(
    rows: NDArray[np.float64], targets: NDArray[np.float64], squares: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Nearest by |c|² − 2 f·c; where rounding could have chosen, by |f − c|² itself."""
    scores = squares - 2.0 * (rows @ targets.T)
    nearest: NDArray[np.int64] = scores.argmin(axis=1)
    scale = np.square(rows).sum(axis=1) + 2.0 * squares.max()
    doubt = ROUNDING_PER_DIMENSION * rows.shape[1] * scale
    close = scores <= (scores[np.arange(len(rows)), nearest] + doubt)[:, None]
    for i in np.flatnonzero(close.sum(axis=1) > 1):
        candidates = np.flatnonzero(close[i])
        distances = np.square(targets[candidates] - rows[i]).sum(axis=1)
        nearest[i] = candidates[distances.argmin()]
    return nearest


def _float64(rows: NDArray[Any] | Tensor) -> NDArray[np.float64]:
    if isinstance(rows, np.ndarray):
        return rows.astype(np.float64)
    values: NDArray[np.float64] = rows.detach().cpu().double().numpy()
    return values


def _check(rows: NDArray[np.float64], targets: NDArray[np.float64]) -> None:
    if targets.ndim != 2 or len(targets) == 0:
        raise ReferenceError(
            f"centroids have shape {targets.shape}, but must be (m, d) with at least one mode: "
            "build the reference set again"
        )
    if rows.ndim != 2 or rows.shape[1] != targets.shape[1]:
        raise ReferenceError(
            f"features have shape {rows.shape}, but the reference set's have {targets.shape[1]} "
            "dimensions: use the embedder that the reference set was built with"
        )
    if not np.isfinite(targets).all():
        raise ReferenceError(
            f"centroid {_first_bad(targets)} of {len(targets)} is not finite: "
            "build the reference set again"
        )
    if not np.isfinite(rows).all():
        raise EmbedderError(
            f"feature {_first_bad(rows)} of {len(rows)} is not finite, so it is near no mode: "
            "check the embedder on these images"
        )


def _first_bad(rows: NDArray[np.float64]) -> int:
    return int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
