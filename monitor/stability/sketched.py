"""The angle between two weight vectors of which only linear sketches are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.errors import WeightsError
from monitor.stability.angle import AngleTerms, angle_terms


@dataclass(frozen=True, slots=True)
class TensorSketch:
    """One tensor's part of a network's sketch.

    Attributes:
        values: (k,) float32, the k buckets, or the tensor itself if ``exact``.
        exact: whether the tensor is stored in full, being no longer than its sketch would be.
    """

    values: NDArray[np.float32]
    exact: bool


@dataclass(frozen=True, slots=True)
class SketchedAngle:
    """Angles of a network and of its tensors; terms of shards must be added before, not after.

    Attributes:
        tensors: one per tensor, in the order given; ``tensors[i].angle()`` is its S.
        network: their sum.
        stderr: standard error of ``network.angle()`` in radians; 0 where all tensors are exact.
    """

    tensors: tuple[AngleTerms, ...]
    network: AngleTerms
    stderr: float


def sketched_angle(
    previous: Sequence[TensorSketch], current: Sequence[TensorSketch]
) -> SketchedAngle:
    """Angle between two snapshots (SQD paper, eqs 4–5) from sketches with the same signs.

    A sketch is linear, so that of w' minus that of w is the sketch of the small difference itself
    and keeps its relative accuracy.

    Raises:
        WeightsError: no tensors, or the two sketches have different layouts.
    """
    layouts = [[(len(s.values), s.exact) for s in sketches] for sketches in (previous, current)]
    if layouts[0] != layouts[1] or not previous:
        raise WeightsError(
            f"sketches of {len(previous)} and {len(current)} tensors have different layouts or "
            "are empty, but their angle needs the same buckets: push the same network each time"
        )
    pairs = zip(previous, current, strict=True)
    tensors = tuple(angle_terms(before.values, after.values) for before, after in pairs)
    buckets = [None if sketch.exact else len(sketch.values) for sketch in previous]
    return SketchedAngle(tensors, sum(tensors, AngleTerms()), sketch_stderr(tensors, buckets))


def sketch_stderr(tensors: Sequence[AngleTerms], buckets: Sequence[int | None]) -> float:
    """Standard error of the network's angle, in radians, from the terms of sketched tensors.

    A bucket is y = Σ±xᵢ over its elements, with E[y²] = Σxᵢ² and Var(y²) ≤ 2(Σxᵢ²)². Over k
    buckets that share |x|² evenly, |Sx|² is therefore unbiased with Var ≈ 2|x|⁴/k. Tensors have
    signs of their own, so their variances add. For small angles θ ≈ |d|/|w|, hence

        (σ_θ/θ)² ≈ ¼ [Σ 2|dᵢ|⁴/kᵢ / (Σ|dᵢ|²)² + Σ 2|wᵢ|⁴/kᵢ / (Σ|wᵢ|²)²];

    w·d adds terms smaller by 1/k or by θ, and exact tensors add nothing to the sums above.

    Args:
        tensors: terms of each tensor, from its sketch.
        buckets: k of each tensor, None where it is exact.

    Returns:
        Radians; NaN where the network has no angle.
    """
    return stderr_of(sum(tensors, AngleTerms()), *sketch_variances(tensors, buckets))


def sketch_variances(
    tensors: Sequence[AngleTerms], buckets: Sequence[int | None]
) -> tuple[float, float]:
    """Var(Σ|Swᵢ|²) and Var(Σ|Sdᵢ|²), Σ 2|xᵢ|⁴/kᵢ each: those of shards just add.

    Args:
        tensors: terms of each tensor, from its sketch.
        buckets: k of each tensor, None where it is exact.
    """
    pairs = [(t, k) for t, k in zip(tensors, buckets, strict=True) if k is not None]
    weights = sum(2.0 * terms.weight_square * terms.weight_square / k for terms, k in pairs)
    changes = sum(2.0 * terms.change_square * terms.change_square / k for terms, k in pairs)
    return weights, changes


def stderr_of(total: AngleTerms, weight_variance: float, change_variance: float) -> float:
    """Standard error of the angle of `total`, in radians, as `sketch_stderr` says; NaN for none."""
    weights = _relative(weight_variance, total.weight_square)
    changes = _relative(change_variance, total.change_square)
    return 0.5 * total.angle() * math.sqrt(changes + weights)


def _relative(variance: float, square: float) -> float:
    """Of a sum of squares; 0 for a vector that is all zero, NaN for one that is not finite."""
    return variance / square / square if square else 0.0
