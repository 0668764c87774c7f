"""Seeded streams for the detector's tests, and the shortest way to feed them."""

from collections.abc import Iterable, Mapping

import numpy as np

from monitor.turning import TurningPointDetector
from monitor.types import TurningPoint

Record = tuple[int, Mapping[str, float | None]]


def play(
    records: Iterable[Record], detector: TurningPointDetector | None = None
) -> list[TurningPoint]:
    """Everything that the detector finds in these records."""
    if detector is None:
        detector = TurningPointDetector()
    return [found for step, values in records for found in detector.update(step, values)]


def noisy(seed: int, level: list[float], deviation: float) -> list[float]:
    """The level with Gaussian noise."""
    noise = np.random.default_rng(seed).normal(0, deviation, len(level))
    return [float(x) for x in np.array(level) + noise]


def angles(seed: int, level: list[float], deviation: float) -> list[float]:
    """The level (radians) with log-normal noise."""
    return [float(np.exp(x)) for x in noisy(seed, np.log(level).tolist(), deviation)]


def batches(every: int = 200, **metrics: list[float]) -> list[Record]:
    """One record a sample batch."""
    count = len(next(iter(metrics.values())))
    return [
        ((i + 1) * every, {name: series[i] for name, series in metrics.items()})
        for i in range(count)
    ]


def ramp(start: float, end: float, count: int) -> list[float]:
    """From start (left out) to end in so many steps."""
    return [start + (end - start) * (i + 1) / count for i in range(count)]
