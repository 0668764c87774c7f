"""The angle between two weight vectors, from sums that add up over tensors and shards."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from monitor.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

Weights: TypeAlias = "NDArray[Any] | Tensor"

#: Elements converted to float64 at a time: buffers of 256 KiB stay in a core's cache, and a network
#: of any size needs no float64 copy of itself. (At 2 MiB it took 1.3 to 1.6 times as long.)
CHUNK_ELEMENTS = 32 * 1024
#: The same on a device, 32 MiB a buffer: enough work for each launch.
DEVICE_ELEMENTS = 4 * 2**20

#: Squared lengths whose products stay within float64.
LEAST, MOST = 1e-140, 1e140

#: A vector that becomes longer or shorter by more than this share, or by this much for each radian
#: that it turns, is compared with one of its new length: the sums would lose digits to that.
LENGTHENED, PER_RADIAN = 1e-3, 1e3

#: |w'|² below this share of |w|² is rounding of the sums (float64 epsilon is 2.2e-16): w' = 0.
VANISHED_SHARE = 1e-14


@dataclass(frozen=True, slots=True)
class AngleTerms:
    """Three sums that hold the angle between w and w' = w + d; those of parts just add.

    The difference is kept, rather than w·w' and |w'|², because steps of 1e-4 rad leave
    cos ∠ = 1 − 5e-9: d keeps the digits that a cosine has already lost.

    Attributes:
        dot: w·d.
        weight_square: |w|².
        change_square: |d|².
    """

    dot: float = 0.0
    weight_square: float = 0.0
    change_square: float = 0.0

    def __add__(self, other: AngleTerms) -> AngleTerms:
        """Terms of two parts of one vector (tensors of a network, shards of a tensor)."""
        return AngleTerms(
            self.dot + other.dot,
            self.weight_square + other.weight_square,
            self.change_square + other.change_square,
        )

    @property
    def finite(self) -> bool:
        """Whether an angle exists: no NaN or Inf in either vector, and neither of them zero."""
        if not all(map(math.isfinite, (self.dot, self.weight_square, self.change_square))):
            return False
        return self.next_square > VANISHED_SHARE * self.weight_square > 0.0

    @property
    def next_square(self) -> float:
        """|w'|²."""
        return self.weight_square + 2.0 * self.dot + self.change_square

    @property
    def lengthening(self) -> float:
        """How much longer w' is than w, as a share of |w|; only where `finite`."""
        return math.sqrt(self.next_square / self.weight_square) - 1.0

    def angle(self) -> float:
        """∠(w, w') in radians, 0 … π; NaN where `finite` is false.

        θ = atan2(√(|w|²|d|² − (w·d)²), |w|² + w·d). Its relative error is below 1e-9 from 1e-7
        rad up as long as d is not almost parallel to w (a mere rescaling by 1 + s adds about
        1e-16·s²/θ²).
        """
        if not self.finite:
            return math.nan
        sine_square = self.weight_square * self.change_square - self.dot * self.dot
        return math.atan2(math.sqrt(max(sine_square, 0.0)), self.weight_square + self.dot)


def weight_angle(previous: Weights, current: Weights) -> float:
    """Angle between two weight vectors (SQD paper, eqs 4–5), by differences instead of arccos.

    Vectors of any length are measured, also where one is much longer than the other.

    Args:
        previous: (n,) W_t, array or tensor of any float dtype.
        current: (n,) W_{t+1}, likewise.

    Returns:
        Radians, 0 … π; exactly 0.0 for equal vectors; NaN if either is zero or not finite.

    Raises:
        WeightsError: the lengths differ, or a vector is empty, not 1-D or not real.
    """
    terms = angle_terms(previous, current)
    if not (terms.finite and LEAST < terms.weight_square < MOST and terms.next_square < MOST):
        # Too long, too short, or one a millionth of the other; what has no angle still has none.
        previous, current = _scaled(previous), _scaled(current)
        terms = angle_terms(previous, current)
    if terms.finite and abs(terms.lengthening) > min(LENGTHENED, PER_RADIAN * terms.angle()):
        terms = angle_terms(_float64(previous) * (1.0 + terms.lengthening), current)
    return terms.angle()


def _float64(weights: Any) -> Any:
    return weights.detach().double() if _is_tensor(weights) else np.asarray(weights, np.float64)


def _scaled(weights: Any) -> Any:
    """The vector divided by its largest element; as it is where that is no number or zero."""
    values = _float64(weights)
    largest = float(abs(values).max())
    return values / largest if 0 < largest < math.inf else values


def angle_terms(previous: Weights, current: Weights) -> AngleTerms:
    """The sums of `weight_angle`, accumulated in float64, for adding over tensors or shards.

    Args:
        previous: (n,) W_t, array or tensor of any float dtype.
        current: (n,) W_{t+1}, likewise.

    Raises:
        WeightsError: the lengths differ, or a vector is empty, not 1-D or not real.
    """
    if _is_tensor(previous) or _is_tensor(current):
        return _tensor_terms(previous, current)
    return _array_terms(np.asarray(previous), np.asarray(current))


def _array_terms(previous: NDArray[Any], current: NDArray[Any]) -> AngleTerms:
    real = all(np.can_cast(w.dtype, np.float64, "same_kind") for w in (previous, current))
    _check(previous.shape, current.shape, real, f"{previous.dtype} and {current.dtype}")
    terms = AngleTerms()
    # NaN and Inf are an answer here (`finite`), not an accident to warn about.
    with np.errstate(invalid="ignore", over="ignore"):
        for part in _chunks(len(previous), CHUNK_ELEMENTS):
            # Both are converted first: a subtraction that converts is slower.
            w, d = previous[part].astype(np.float64), current[part].astype(np.float64)
            d -= w
            terms += AngleTerms(float(w @ d), float(w @ w), float(d @ d))
    return terms


def _tensor_terms(previous: Weights, current: Weights) -> AngleTerms:
    # Only a caller who holds a tensor pays for torch; snapshots arrive as NumPy arrays.
    import torch

    w_all, next_all = torch.as_tensor(previous).detach(), torch.as_tensor(current).detach()
    real = not (w_all.is_complex() or next_all.is_complex())
    _check(tuple(w_all.shape), tuple(next_all.shape), real, f"{w_all.dtype} and {next_all.dtype}")
    sums = torch.zeros(3, dtype=torch.float64, device=w_all.device)
    for part in _chunks(len(w_all), elements_of(w_all)):
        w = w_all[part].double()
        d = next_all[part].to(w, copy=True).sub_(w)
        sums += torch.stack((w @ d, w @ w, d @ d))
    return AngleTerms(*sums.tolist())


def elements_of(weights: Tensor) -> int:
    """Elements of a tensor that are converted at a time, where it lies."""
    return CHUNK_ELEMENTS if weights.device.type == "cpu" else DEVICE_ELEMENTS


def _is_tensor(weights: Weights) -> bool:
    return hasattr(weights, "detach")


def _chunks(length: int, elements: int) -> Iterator[slice]:
    for start in range(0, length, elements):
        yield slice(start, start + elements)


def _check(previous: tuple[int, ...], current: tuple[int, ...], real: bool, dtypes: str) -> None:
    if len(previous) != 1 or len(current) != 1:
        raise WeightsError(
            f"weights have shapes {previous} and {current}, but an angle is taken between "
            "1-D vectors: flatten them first"
        )
    if previous != current:
        raise WeightsError(
            f"weights have {previous[0]} and {current[0]} elements, but an angle needs two vectors "
            "of one length: compare snapshots of the same network"
        )
    if previous == (0,):
        raise WeightsError("weights have 0 elements, but an angle needs at least 1: push a network")
    if not real:
        raise WeightsError(f"weights are {dtypes}, but must be real: view complex ones as real")
