"""The points that every server is given: the same noise, each metric with a spike of one step."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Metrics of the run: the networks' angles, and what a trainer sends.
METRICS = (
    *("S.G", "S.D", "loss.G", "loss.D", "grad.G", "grad.D", "penalty.D", "lr", "beta"),
    "gpu.memory",
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Points:
    """A run of a metric value each second, up to now.

    Attributes:
        values: (len(METRICS), steps) float64.
        spikes: (len(METRICS),) the step at which each metric has its spike.
        start_s: time of step 0, Unix seconds.
    """

    values: Floats
    spikes: tuple[int, ...]
    start_s: float

    @property
    def steps(self) -> int:
        """Points of each metric."""
        return self.values.shape[1]


def make_points(steps: int, seed: int = 0) -> Points:
    """Points of `steps` steps.

    Args:
        steps: of each metric.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    curves, spikes = zip(*(_curve(rng, steps) for _ in METRICS), strict=True)
    return Points(np.stack(curves), spikes, time.time() - steps)


def _curve(rng: np.random.Generator, steps: int) -> tuple[Floats, int]:
    """Noise that settles, with one step that is far out."""
    values = 0.003 * (1 + 4 * np.exp(-np.arange(steps) / (steps / 20)))
    values *= np.exp(0.1 * rng.standard_normal(steps))
    spike = int(rng.integers(steps // 10, steps))
    values[spike] *= 50
    return values, spike
