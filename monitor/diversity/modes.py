"""Which mode of the reference set a feature belongs to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monitor.errors import EmbedderError, ReferenceError

if TYPE_CHECKING:
    #: The answer is of the kind that the features are.
    Features = TypeVar("Features", NDArray[Any], Tensor)

#: Distances held at a time: 16 MiB of float32, whatever the number of images and modes.
DISTANCES_PER_CHUNK = 4 * 2**20

#: Roundings of a score besides those of its d products and sums: of f, c, |c|² and the difference.
OTHER_ROUNDINGS = 8

#: Powers of two by which float64 can be divided without leaving its range.
LARGEST_SHIFT = 1000


def nearest_mode(
    features: Features,
    centroids: NDArray[Any] | Tensor,
    device: str | torch.device | None = None,
) -> Features:
    """Index of the centroid closest to each feature (SQD paper, eq 8).

    Distances are Euclidean. The answer is that of float64: float32 only rules out the centroids
    that are farther by more than its rounding. Of centroids that are equally close the first wins.

    Args:
        features: (N, d) array or tensor of any float dtype.
        centroids: (m, d) mean feature per mode (eq 7), m ≥ 1.
        device: where to compute; by default where the features are.

    Returns:
        (N,) int64 in [0, m); a tensor on the features' device if they are a tensor.

    Raises:
        ReferenceError: there are no centroids, or their dimension is not the features'.
        EmbedderError: a feature is not finite.
    """
    rows = _float64(features, device)
    targets = _float64(centroids, rows.device)
    _check_shapes(rows, targets)
    _scale(rows, targets)
    squares = targets.square().sum(dim=1)
    screens = _Screen(targets, squares, _first_dtype()), _Screen(targets, squares, torch.float64)
    size = max(1, DISTANCES_PER_CHUNK // len(targets))
    nearest = torch.empty(len(rows), dtype=torch.int64, device=rows.device)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        nearest[part] = _nearest(rows[part], targets, screens)
    if isinstance(features, np.ndarray):
        return nearest.numpy(force=True)
    return nearest.to(features.device)


class _Screen:
    """Rules out the modes that are farther than another by more than rounding, in one dtype.

    A score is |c|² − 2 f·c. Each of its d products and sums is off by half an epsilon of |f||c| at
    most, twice, and two scores are compared.
    """

    def __init__(self, targets: Tensor, squares: Tensor, dtype: torch.dtype) -> None:
        self._dtype, self._farthest = dtype, squares.max().sqrt()
        self._squares, self._columns = squares.to(dtype), targets.to(dtype).T

    def closest(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """All pairs of row and mode that may be nearest, by row."""
        scores = torch.addmm(self._squares, rows.to(self._dtype), self._columns, alpha=-2)
        bound = scores.amin(dim=1) + self._doubt(rows).to(self._dtype)
        row, mode = (scores <= bound[:, None]).nonzero(as_tuple=True)
        return row, mode

    def _doubt(self, rows: Tensor) -> Tensor:
        limits, dimension = torch.finfo(self._dtype), rows.shape[1]
        lengths = rows.square().sum(dim=1).sqrt()
        scale = self._farthest * (2 * lengths + self._farthest)
        return limits.eps * (dimension + OTHER_ROUNDINGS) * scale + 4 * dimension * limits.tiny


def _nearest(rows: Tensor, targets: Tensor, screens: tuple[_Screen, _Screen]) -> Tensor:
    """(N,) by the first screen alone where it leaves one, else by |f − c|² of what both leave."""
    row, mode = screens[0].closest(rows)
    nearest = torch.empty(len(rows), dtype=torch.int64, device=rows.device)
    nearest[row] = mode
    doubtful = (row.bincount(minlength=len(rows)) > 1).nonzero()[:, 0]
    if len(doubtful):
        rows = rows[doubtful]
        nearest[doubtful] = _by_distance(rows, targets, *screens[1].closest(rows))
    return nearest


def _by_distance(rows: Tensor, targets: Tensor, row: Tensor, mode: Tensor) -> Tensor:
    """(N,) of the pairs of each row the nearest mode by |f − c|² itself, the lowest of equals."""
    size = max(1, DISTANCES_PER_CHUNK // max(1, rows.shape[1]))
    parts = [slice(i, i + size) for i in range(0, len(row), size)]
    distances = torch.cat([(targets[mode[p]] - rows[row[p]]).square().sum(dim=1) for p in parts])
    least = distances.new_full((len(rows),), torch.inf).scatter_reduce(0, row, distances, "amin")
    best = distances == least[row]
    first = torch.full_like(least, len(targets), dtype=torch.int64)
    return first.scatter_reduce(0, row[best], mode[best], "amin")


def _first_dtype() -> torch.dtype:
    """float32, unless this process lets its products round to TF32 or bfloat16."""
    exact = torch.get_float32_matmul_precision() == "highest"
    return torch.float32 if exact else torch.float64


def _scale(rows: Tensor, targets: Tensor) -> None:
    """Divide both by a power of two, which is exact, so that no square leaves float32's range.

    Raises:
        ReferenceError, EmbedderError: see `nearest_mode`.
    """
    largest = max(_largest(rows), _largest(targets))
    if not math.isfinite(largest):
        _refuse(rows, targets)
    factor = 2.0 ** -max(-LARGEST_SHIFT, min(LARGEST_SHIFT, math.frexp(largest)[1]))
    rows *= factor
    targets *= factor


def _largest(rows: Tensor) -> float:
    """Largest |x|, infinite if one is not finite."""
    if not rows.numel():
        return 0.0
    largest = max(map(abs, torch.stack(rows.aminmax()).tolist()))
    return math.inf if math.isnan(largest) else largest


def _float64(rows: NDArray[Any] | Tensor, device: str | torch.device | None) -> Tensor:
    """A copy, which may be written to."""
    if isinstance(rows, np.ndarray):
        return torch.from_numpy(rows.astype(np.float64)).to(device)
    return rows.detach().to(device or rows.device, torch.float64, copy=True)


def _check_shapes(rows: Tensor, targets: Tensor) -> None:
    if targets.ndim != 2 or len(targets) == 0:
        raise ReferenceError(
            f"centroids have shape {tuple(targets.shape)}, but must be (m, d) with at least one "
            "mode: build the reference set again"
        )
    if rows.ndim != 2 or rows.shape[1] != targets.shape[1]:
        raise ReferenceError(
            f"features have shape {tuple(rows.shape)}, but the reference set's have "
            f"{targets.shape[1]} dimensions: use the embedder that the reference set was built with"
        )


def _refuse(rows: Tensor, targets: Tensor) -> NoReturn:
    if (bad := _first_bad(targets)) is not None:
        raise ReferenceError(
            f"centroid {bad} of {len(targets)} is not finite: build the reference set again"
        )
    raise EmbedderError(
        f"feature {_first_bad(rows)} of {len(rows)} is not finite, so it is near no mode: "
        "check the embedder on these images"
    )


def _first_bad(rows: Tensor) -> int | None:
    bad = (~rows.isfinite().all(dim=1)).nonzero()
    return int(bad[0]) if len(bad) else None
