"""S: the angle by differences beside the forms that everybody writes first."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.evaluators.timing import Row, compare
from monitor.stability import weight_angle

#: Radians between the two vectors; a step of training is 1e-4 … 1e-2.
ANGLES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-6)
#: Bytes of a weight.
FLOAT_BYTES = 4


def stability_rows(parameters: int, rounds: int, device: str) -> list[Row]:
    """Seconds of each form and its relative error at each angle."""
    errors: dict[str, dict[str, float]] = {}
    for angle in ANGLES:
        before, after = _apart(parameters, angle)
        exact = _exact(before, after)
        for name, way in _forms(before, after, device).items():
            errors.setdefault(name, {})[f"{angle:g}"] = way() / exact - 1
    ways = _forms(before, after, device)
    read_bytes = 2 * parameters * FLOAT_BYTES
    return [
        {
            **row,
            "errors": errors[row["name"]],
            "bytes_per_second": read_bytes / row["seconds"],
        }
        for row in compare(ways, rounds, device)
    ]


def _forms(
    before: NDArray[np.float32], after: NDArray[np.float32], device: str
) -> dict[str, Callable[[], float]]:
    w, v = (torch.from_numpy(x).to(device) for x in (before, after))
    forms = {
        "S: our difference form (arrays)": lambda: weight_angle(before, after),
        "S: our difference form (tensors)": lambda: weight_angle(w, v),
        "float32 cosine, arccos": lambda: _arccos(w, v),
        "float64 dot, arccos": lambda: _arccos(w.double(), v.double()),
        "float64 half angle": lambda: _half(w.double(), v.double()),
    }
    if device != "cpu":
        del forms["S: our difference form (arrays)"]
    return forms


def _arccos(w: Tensor, v: Tensor) -> float:
    cosine = (w @ v) / (w.norm() * v.norm())
    return float(cosine.clamp(-1, 1).arccos())


def _half(w: Tensor, v: Tensor) -> float:
    w, v = w / w.norm(), v / v.norm()
    return 2 * float(torch.atan2((w - v).norm(), (w + v).norm()))


def _apart(parameters: int, angle: float) -> tuple[NDArray[Any], NDArray[Any]]:
    generator = np.random.default_rng(0)
    w, u = generator.standard_normal((2, parameters))
    u -= w * ((u @ w) / (w @ w))
    v = w * math.cos(angle) + u * (math.sin(angle) * np.linalg.norm(w) / np.linalg.norm(u))
    return w.astype(np.float32), v.astype(np.float32)


def _exact(before: NDArray[Any], after: NDArray[Any]) -> float:
    """The half angle in 80-bit arithmetic, of the vectors as they were rounded."""
    w, v = before.astype(np.longdouble), after.astype(np.longdouble)
    w, v = w / np.sqrt(np.square(w).sum()), v / np.sqrt(np.square(v).sum())
    apart, together = (np.sqrt(np.square(x).sum()) for x in (w - v, w + v))
    return float(2 * np.arctan2(apart, together))
