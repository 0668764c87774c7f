"""Sample batches to what the wire carries: uint8 images, or float arrays for other evaluators."""

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_hooks.collective import sharded_kind
from trainer_hooks.errors import SamplesError, message_of
from trainer_hooks.landing import Landing, launch
from trainer_hooks.parameters import as_numpy

#: Rank of an image batch (N, C, H, W).
IMAGE_RANK = 4
IMAGE_CHANNELS = (1, 3)
#: Highest rank of a batch: what a frame carries (wire.MAX_RANK).
MOST_DIMENSIONS = 6
#: Highest value of an 8-bit channel.
WHITE = 255
FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples ready to send, perhaps still on a device.

    Attributes:
        pieces: each (n, C, H, W) uint8 images or (n, …) float32, alike but for n.
        counts: each (2,) int64: values that are NaN or Inf; values outside the range, clipped.
    """

    pieces: tuple[Landing, ...]
    counts: tuple[Landing, ...]

    def __add__(self, other: "Chunk") -> "Chunk":
        return Chunk(self.pieces + other.pieces, self.counts + other.counts)

    @property
    def samples(self) -> int:
        """Number of samples n."""
        return sum(piece.shape[0] for piece in self.pieces)

    @property
    def nbytes(self) -> int:
        """Bytes of the samples."""
        return sum(piece.nbytes for piece in self.pieces)

    def land(self) -> None:
        """Bring the samples to the host; waits for the device."""
        for landing in (*self.pieces, *self.counts):
            landing.array()

    def array(self) -> NDArray[Any]:
        """(n, …) the samples on the host; waits for the device, so only the sender calls it."""
        arrays = [piece.array() for piece in self.pieces]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)

    def bad_values(self) -> tuple[int, int]:
        """How many values are NaN or Inf, and how many were clipped; waits likewise."""
        nonfinite, clipped = np.sum([count.array() for count in self.counts], axis=0).tolist()
        return int(nonfinite), int(clipped)


class Batch:
    """A checked batch of the trainer, to be made small slice by slice.

    Args:
        values: (N, C, H, W) with C = 1 or 3, float in `value_range` or uint8; or any float (N, …).
        value_range: the values that stand for black and white.
    Raises:
        SamplesError: rank, channels or dtype is none of these, N = 0, or it is part of a whole.
    """

    def __init__(self, values: object, value_range: tuple[float, float]) -> None:
        torch = sys.modules.get("torch")
        self._range = value_range
        self._torch: Any = None
        if sharded_kind(values):
            raise SamplesError("samples are spread over ranks; push this rank's local tensor")
        if torch is not None and isinstance(values, torch.Tensor):
            self._torch, self._values = torch, values.detach()
            is_float = bool(values.is_floating_point())
        else:
            self._values = _as_array(values)
            is_float = self._values.dtype.kind == "f" or self._values.dtype.name == "bfloat16"
        self._is_bytes = self._values.dtype == (self._torch or np).uint8
        self._is_image = _checked_kind(self._values, is_float, self._is_bytes)

    def __len__(self) -> int:
        return int(self._values.shape[0])

    @property
    def like(self) -> str:
        """What the samples of one batch must share."""
        kind = "images" if self._is_image else "float arrays"
        return f"{kind} of shape {tuple(self._values.shape[1:])}"

    @property
    def returned_bytes(self) -> int:
        """Bytes of the batch as the trainer made it."""
        return int(self._values.nbytes)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample as it is sent."""
        values: int = math.prod(self._values.shape[1:])
        return values * (1 if self._is_image else FLOAT32_BYTES)

    def slice(self, first: int, last: int) -> Chunk:
        """Samples first … last − 1, made small on their own device and without waiting for it."""
        part = self._values[first:last]
        if self._torch is None:
            with np.errstate(all="ignore"):
                samples, counts = self._small(part, np)
            return Chunk((Landing(samples),), (Landing(np.asarray(counts)),))
        with self._torch.no_grad():
            samples, counts = self._small(part, self._torch)
        return Chunk((launch(samples, self._torch),), (launch(counts, self._torch),))

    def _small(self, part: Any, xp: Any) -> tuple[Any, Any]:
        """The samples as they are sent, never the trainer's own memory, and their bad values."""
        if self._is_bytes:
            return (part.copy() if xp is np else part.clone()), xp.zeros(2, dtype=xp.int64)
        values = part.astype(np.float32) if xp is np else part.to(xp.float32, copy=True)
        nonfinite = (~xp.isfinite(values)).sum()
        if not self._is_image:
            return values, xp.stack([nonfinite, xp.zeros_like(nonfinite)])
        low, high = self._range
        scaled = (values - low) * (WHITE / (high - low))
        clipped = ((scaled < -0.5) | (scaled > WHITE + 0.5)).sum()
        pixels = xp.nan_to_num(scaled.round(), nan=0.0).clip(0, WHITE)
        small = pixels.astype(np.uint8) if xp is np else pixels.to(xp.uint8)
        return small, xp.stack([nonfinite, clipped])


def _as_array(values: object) -> NDArray[Any]:
    try:
        return as_numpy(values)
    except Exception as error:
        raise SamplesError(
            f"samples of type {type(values).__name__} are no array: {message_of(error)}"
        ) from error


def _checked_kind(values: Any, is_float: bool, is_bytes: bool) -> bool:
    """Whether `values` are images."""
    shape = tuple(values.shape)
    if not 2 <= len(shape) <= MOST_DIMENSIONS or math.prod(shape) == 0:
        raise SamplesError(
            f"samples have shape {shape}; expected images (N, C, H, W), or floats (N, …) with at "
            f"most {MOST_DIMENSIONS} dimensions, and N ≥ 1"
        )
    if not is_float and not is_bytes:
        raise SamplesError(f"samples have dtype {values.dtype}; expected a float dtype or uint8")
    is_image = len(shape) == IMAGE_RANK and shape[1] in IMAGE_CHANNELS
    if is_bytes and not is_image:
        raise SamplesError(
            f"uint8 samples have shape {shape}; expected images (N, C, H, W) with C = 1 or 3"
        )
    return is_image


def checked_range(value_range: object) -> tuple[float, float]:
    """`value_range` as two floats, low < high.

    Raises:
        SamplesError: it is anything else.
    """
    try:
        low, high = (float(bound) for bound in value_range)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise SamplesError(f"value_range must be two numbers, not {value_range!r}") from error
    if not (low < high and math.isfinite(high - low)):
        raise SamplesError(f"value_range must be finite with low < high, not {value_range!r}")
    return low, high
