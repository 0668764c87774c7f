"""Sample batches to what the wire carries: uint8 images, or float arrays for other evaluators."""

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_hooks.errors import SamplesError

#: Rank of an image batch (N, C, H, W).
IMAGE_RANK = 4
IMAGE_CHANNELS = (1, 3)
#: Highest value of an 8-bit channel.
WHITE = 255


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples ready to send, perhaps still on a device.

    Attributes:
        values: (n, C, H, W) uint8 images or (n, …) float32.
        nonfinite: how many values are NaN or Inf (number or 0-d tensor).
        clipped: how many values lay outside the value range and were clipped (likewise).
    """

    values: Any
    nonfinite: Any = 0
    clipped: Any = 0

    @property
    def samples(self) -> int:
        """Number of samples n."""
        return int(self.values.shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        shape: tuple[int, ...] = tuple(self.values.shape)
        return math.prod(shape) * int(self.values.itemsize)

    def array(self) -> NDArray[Any]:
        """The values on the host; waits for the device, so only the sender calls it."""
        values = self.values
        return values if isinstance(values, np.ndarray) else np.asarray(values.cpu().numpy())


def prepare(batch: object, value_range: tuple[float, float]) -> Chunk:
    """Check a batch and make it small, on its own device and without waiting for it.

    Args:
        batch: (N, C, H, W) with C = 1 or 3, float in `value_range` or uint8; or any float (N, …).
        value_range: the values that stand for black and white.
    Raises:
        SamplesError: rank below 2, N = 0, or a dtype that is neither float nor uint8.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(batch, torch.Tensor):
        return _prepare(batch.detach(), value_range, torch, batch.is_floating_point())
    array = np.asarray(batch)
    return _prepare(array, value_range, np, array.dtype.kind == "f")


def _prepare(batch: Any, value_range: tuple[float, float], xp: Any, is_float: bool) -> Chunk:
    shape = tuple(batch.shape)
    if len(shape) < 2 or math.prod(shape) == 0:
        raise SamplesError(f"samples have shape {shape}; expected (N, C, H, W) or (N, …), N ≥ 1")
    is_image = len(shape) == IMAGE_RANK and shape[1] in IMAGE_CHANNELS
    if batch.dtype == xp.uint8:
        return Chunk(_own(batch, xp))
    if not is_float:
        raise SamplesError(f"samples have dtype {batch.dtype}; expected a float dtype or uint8")
    nonfinite = (~xp.isfinite(batch)).sum()
    if not is_image:
        return Chunk(_own(_float32(batch, xp), xp), nonfinite)
    low, high = value_range
    scaled = (_float32(batch, xp) - low) * (WHITE / (high - low))
    clipped = ((scaled < -0.5) | (scaled > WHITE + 0.5)).sum()
    pixels = xp.nan_to_num(scaled.round(), nan=0.0).clip(0, WHITE)
    return Chunk(pixels.to(xp.uint8) if hasattr(pixels, "to") else pixels.astype(np.uint8),
                 nonfinite, clipped)  # fmt: skip


def _float32(batch: Any, xp: Any) -> Any:
    return batch.astype(np.float32) if xp is np else batch.float()


def _own(batch: Any, xp: Any) -> Any:
    """A copy: the trainer may write into its batch before it is sent."""
    return batch.copy() if xp is np else batch.clone()


def checked_range(value_range: object) -> tuple[float, float]:
    """`value_range` as two floats, low < high.

    Raises:
        SamplesError: it is anything else.
    """
    try:
        low, high = (float(bound) for bound in value_range)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise SamplesError(f"value_range must be two numbers, not {value_range!r}") from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SamplesError(f"value_range must be finite with low < high, not {value_range!r}")
    return low, high
