"""Angles of a whole block of snapshots, each of which is read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitor.stability.angle import CHUNK_ELEMENTS, AngleTerms, Weights, elements_of

if TYPE_CHECKING:
    from torch import Tensor


def block_terms(
    snapshots: Weights, first: Sequence[int], second: Sequence[int]
) -> list[AngleTerms]:
    """Terms of many pairs of snapshots, as `angle_terms` gives them one by one.

    Consecutive pairs share a snapshot, and epochs share some with steps. All of them are converted
    to float64 a few columns at a time, so that each is read once and none is copied whole.

    Args:
        snapshots: (S, n) W_t of S steps, array or tensor of any float dtype; a tensor's sums are
            formed on its device.
        first: (P,) rows of the earlier snapshots.
        second: (P,) rows of the later ones.

    Returns:
        P terms; they add up over tensors and shards.
    """
    pairs = list(first), list(second)
    if isinstance(snapshots, np.ndarray):
        return [AngleTerms(*terms) for terms in _array_sums(snapshots, *pairs)]
    return [AngleTerms(*terms) for terms in _tensor_sums(snapshots, *pairs)]


def _array_sums(snapshots: NDArray[Any], first: list[int], second: list[int]) -> list[list[float]]:
    sums = np.zeros((len(first), 3))
    # NaN and Inf are an answer here (`AngleTerms.finite`), not an accident to warn about.
    with np.errstate(invalid="ignore", over="ignore"):
        for part in _columns(snapshots, len(first), CHUNK_ELEMENTS):
            block = snapshots[:, part].astype(np.float64)
            w, d = block[first], block[second]
            d -= w
            for term, (a, b) in enumerate(((w, d), (w, w), (d, d))):
                # A product of a row and a column each, which BLAS takes; einsum is slower.
                sums[:, term] += np.matmul(a[:, None, :], b[:, :, None])[:, 0, 0]
    answer: list[list[float]] = sums.tolist()
    return answer


def _tensor_sums(snapshots: Tensor, first: list[int], second: list[int]) -> list[list[float]]:
    import torch

    # Lists as indices would be brought to the device anew for each part.
    earlier, later = (torch.tensor(rows, device=snapshots.device) for rows in (first, second))
    sums = torch.zeros(len(first), 3, dtype=torch.float64, device=snapshots.device)
    for part in _columns(snapshots, len(first), elements_of(snapshots)):
        block = snapshots[:, part].detach().double()
        w = block.index_select(0, earlier)
        d = block.index_select(0, later) - w
        sums += torch.stack([(a * b).sum(dim=1) for a, b in ((w, d), (w, w), (d, d))], dim=1)
    answer: list[list[float]] = sums.tolist()
    return answer


def _columns(snapshots: Weights, pairs: int, elements: int) -> list[slice]:
    count, length = snapshots.shape
    size = max(1, elements // max(1, count, pairs))
    return [slice(i, i + size) for i in range(0, length, size)]
