"""Features on their way between the chunks of a batch: few, small, and text, as JSON wants it."""

import base64
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.diversity.feature_sample import MOST_FEATURES
from monitor.errors import EvaluatorError

#: Bytes of a batch's features: 2000 of 2048 numbers, the widest embedders in use.
MOST_BYTES = 8 * 2**20
#: Largest step: a number is kept to 1/65534 of its row's largest, finer than a float16's 1/2048.
STEPS = 32767


def share(features: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """A chunk's share of those that may be kept of its batch, evenly over the chunk.

    Args:
        features: (n, d).
        samples: of the whole batch, or 0.
    """
    n, d = features.shape
    most = max(1, min(MOST_FEATURES, MOST_BYTES // _row_bytes(d)))
    count = math.ceil(n * min(1.0, most / max(samples, n)))
    return evenly(features, count)


def evenly(features: NDArray[Any], count: int) -> NDArray[Any]:
    """`count` of (n, d) features, evenly over them, or all if there are no more."""
    n = len(features)
    count = min(count, n)
    return features[np.arange(count) * n // max(count, 1)]


def pack(features: NDArray[np.float32]) -> str:
    """(n, d) float32 finite, as whole steps of each row's largest number."""
    steps_of = np.abs(features).max(axis=1).astype("<f4") / np.float32(STEPS)
    steps = np.zeros(features.shape, np.float32)
    np.divide(features, steps_of[:, None], out=steps, where=steps_of[:, None] > 0)
    data = steps_of.tobytes() + np.rint(steps).clip(-STEPS, STEPS).astype("<i2").tobytes()
    return f"{features.shape[1]}:{base64.b64encode(data).decode()}"


def unpack(texts: Iterable[str]) -> NDArray[np.float64]:
    """All rows that `pack` wrote, (n, d).

    Raises:
        EvaluatorError: rows have different lengths.
    """
    pieces = [_piece(text) for text in texts]
    if len({piece.shape[1] for piece in pieces}) != 1:
        raise EvaluatorError("features of the batch have different lengths")
    return np.concatenate(pieces)


def _piece(text: str) -> NDArray[np.float64]:
    width, _, coded = text.partition(":")
    data, d = base64.b64decode(coded), int(width)
    n = len(data) // _row_bytes(d)
    steps_of = np.frombuffer(data, "<f4", n).astype(np.float64)
    steps = np.frombuffer(data, "<i2", n * d, offset=steps_of.size * np.dtype("<f4").itemsize)
    return steps.reshape(n, d) * steps_of[:, None]


def _row_bytes(d: int) -> int:
    return np.dtype("<f4").itemsize + d * np.dtype("<i2").itemsize
