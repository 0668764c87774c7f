"""Frames of samples to checked nouns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.store.blocks import MOST_ROWS, Rows
from monitor.worker import checks
from trainer_hooks.errors import WireError
from trainer_hooks.wire import Frame

#: Rank of a batch of images (N, C, H, W), and their channels.
IMAGE_RANK, IMAGE_CHANNELS = 4, (1, 3)


@dataclass(frozen=True, slots=True)
class SamplesFrame:
    """A chunk of a sample batch.

    Attributes:
        rows: the one row of its batch.
        part: number of the chunk; `last`: no other follows.
        samples: (n, C, H, W) uint8 images or (n, …) float32.
        nonfinite, clipped: values that were NaN or Inf, or outside the range.
        failure: why the trainer could not make the batch, else "".
    """

    rows: Rows
    part: int
    last: bool
    samples: NDArray[Any]
    nonfinite: int
    clipped: int
    failure: str


def samples_frame(frame: Frame) -> SamplesFrame:
    """The checked content of a samples frame (docs/wire-format.md).

    Raises:
        WireError: a part is missing, has a wrong type, or the samples are none.
    """
    header = frame.header
    try:
        epoch = header["epoch"]
        samples = _samples(frame.tensors["samples"])
        rows = Rows.one(
            checks.index(header["seq"], MOST_ROWS),
            checks.whole(header["step"]),
            None if epoch is None else checks.finite(epoch),
            checks.finite(header["time"]),
        )
        return SamplesFrame(
            rows=rows,
            part=checks.index(header["part"], MOST_ROWS),
            last=checks.flag(header["last"]),
            samples=samples,
            nonfinite=checks.index(header["nonfinite"], samples.size + 1),
            clipped=checks.index(header["clipped"], samples.size + 1),
            failure=checks.reason(header["failure"]),
        )
    except checks.MALFORMED as error:
        raise WireError(f"samples frame is malformed: {checks.quoted(error)}") from error


def _samples(samples: NDArray[Any]) -> NDArray[Any]:
    is_image = samples.ndim == IMAGE_RANK and samples.shape[1] in IMAGE_CHANNELS
    if samples.dtype == np.uint8 and not is_image:
        raise WireError(f"uint8 samples are {samples.shape}, expected (n, C, H, W), C = 1 or 3")
    if samples.dtype not in (np.uint8, np.float32) or samples.ndim < 2:
        raise WireError(f"samples are {samples.dtype} {samples.shape}, expected floats (n, …)")
    if len(samples) and not samples.size:
        raise WireError(f"samples of shape {samples.shape} hold nothing")
    return samples
