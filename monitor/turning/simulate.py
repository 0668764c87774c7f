"""Seeded simulated trainings with the paper's patterns, to tune and to judge the detector.

They prove nothing about real trainings; they keep the detector honest about trends, noise,
learning-rate steps and rhythm. Noise and sizes are those of recorded runs (a DCGAN on 100 faces,
S every iteration, Q and D every 200) and of the paper's figures 3 to 5.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rhythm = Literal["iteration", "epoch"]
Pattern = Literal[
    "collapse", "slow_collapse", "swings", "calm", "learning_rate_step", "drift", "spikes"
]
#: Patterns with a turning point, and patterns without (spikes: S jumps, Q and D do not care).
TURNING: tuple[Pattern, ...] = ("collapse", "slow_collapse", "swings")
HEALTHY: tuple[Pattern, ...] = ("calm", "learning_rate_step", "drift", "spikes")

#: Iterations of a run and between its sample batches; an epoch-wise run has 300 epochs (paper).
ITERATIONS, BATCH_EVERY, EPOCHS = 12_000, 200, 300
#: Where in a run something happens, as a share of its length.
EARLIEST, LATEST = 0.35, 0.8
#: Degrees of freedom of the noise (Student's t): kurtosis 5 was measured for S.D.
STABILITY_TAILS, SAMPLE_TAILS = 7, 4
#: Correlation of neighbours: S measured 0.2 to 0.44, Q 0.18, D none.
STABILITY_MEMORY, SAMPLE_MEMORY = 0.3, 0.2


@dataclass(frozen=True)
class Simulation:
    """One simulated run.

    Attributes:
        turn: step at which Q or D begins to deteriorate; None in a healthy run.
        spacing: steps between sample batches.
        records: step, epoch and values, as `TurningPointDetector.update` takes them.
    """

    turn: int | None
    spacing: int
    records: list[tuple[int, float | None, dict[str, float]]]


def simulate(pattern: Pattern, seed: int, rhythm: Rhythm = "iteration") -> Simulation:
    """A run of 12,000 iterations (60 sample batches), or of 300 epochs with a value each.

    Args:
        pattern: what happens in it.
        seed: everything else about it.
        rhythm: S in every iteration, or every metric once an epoch.
    """
    kind = (*TURNING, *HEALTHY).index(pattern)
    rng = np.random.default_rng([seed, kind, rhythm == "epoch"])
    length, spacing = (ITERATIONS, BATCH_EVERY) if rhythm == "iteration" else (EPOCHS, 1)
    steps = np.arange(1, length + 1)
    when = round(rng.uniform(EARLIEST, LATEST) * length / spacing) * spacing
    batches = steps[spacing - 1 :: spacing]
    series = _settling(rng, steps / length) | _learning(rng, batches / length, rhythm)
    if pattern in TURNING or pattern == "spikes":
        _jump(rng, series, when, spacing, pattern)
    if pattern in TURNING:
        _deteriorate(rng, series, (batches - when) / spacing, pattern)
    if pattern == "learning_rate_step":
        _change_learning_rate(rng, series, when, when // spacing)
    if pattern == "drift":
        series["D"] -= rng.uniform(0.2, 0.6) * batches / length
        series["S.G"] *= 1 + rng.uniform(0.1, 0.5) * steps / length
    turn = when if pattern in TURNING else None
    return Simulation(turn, spacing, _records(series, length, spacing))


def _noise(rng: np.random.Generator, n: int, deviation: float, tails: int, memory: float) -> Array:
    """Heavy-tailed noise with a given standard deviation and correlation of neighbours."""
    fresh: Array = rng.standard_t(tails, n) * deviation * np.sqrt((1 - 2 / tails) * (1 - memory**2))
    for i in range(1, n):
        fresh[i] += memory * fresh[i - 1]
    return fresh


def _settling(rng: np.random.Generator, time: Array) -> dict[str, Array]:
    """S settles from large to small on a log scale; the discriminator's is the noisier one."""
    series = {}
    for network, start, end, deviation in (
        ("S.G", 0.016, rng.uniform(0.003, 0.007), rng.uniform(0.02, 0.08)),
        ("S.D", 0.010, rng.uniform(0.0005, 0.005), rng.uniform(0.1, 0.3)),
    ):
        above = np.log(start / end) * np.exp(-time / rng.uniform(0.05, 0.3))
        noise = _noise(rng, len(time), deviation, STABILITY_TAILS, STABILITY_MEMORY)
        series[network] = end * np.exp(above + noise)
    return series


def _learning(rng: np.random.Generator, time: Array, rhythm: Rhythm) -> dict[str, Array]:
    """Q rises to a plateau while D goes from where noise images put it to a plateau of its own."""
    appear, width = rng.uniform(0.03, 0.2), rng.uniform(0.01, 0.05)
    learnt = 1 / (1 + np.exp((appear - time) / width))
    plateau = rng.uniform(3.0, 4.2) if rhythm == "iteration" else rng.uniform(7.3, 8.3)
    start = plateau + rng.uniform(-2.0, 0.5)
    deviations = rng.uniform(0.01, 0.05), rng.uniform(0.04, 0.15)
    quality, diversity = (
        _noise(rng, len(time), deviation, SAMPLE_TAILS, SAMPLE_MEMORY) for deviation in deviations
    )
    return {
        "Q": rng.uniform(0.6, 0.96) * learnt + quality * learnt,
        "D": start + (plateau - start) * learnt + diversity,
    }


def _change_learning_rate(
    rng: np.random.Generator, series: dict[str, Array], iteration: int, batch: int
) -> None:
    """Every angle is smaller from here on, and the samples get a little better."""
    factor = rng.uniform(0.1, 0.5)
    series["S.G"][iteration:] *= factor
    series["S.D"][iteration:] *= factor
    series["Q"][batch:] += rng.uniform(0, 0.04)
    series["D"][batch:] += rng.uniform(-0.05, 0.1)


def _jump(
    rng: np.random.Generator, series: dict[str, Array], when: int, spacing: int, pattern: Pattern
) -> None:
    """S jumps for some iterations: once, up to three batches ahead, or again and again."""
    often = pattern in ("swings", "spikes")
    start = when if often else when - int(rng.integers(0, 3 * spacing + 1))
    while start < len(series["S.G"]):
        if spacing > 1:
            end, height = start + int(rng.integers(25, 101)), rng.uniform(36, 150)
        else:
            end, height = start + int(rng.integers(2, 6)), rng.uniform(3, 15)
        series["S.D"][start:end] *= height
        series["S.G"][start:end] *= rng.uniform(2.4, 3.8)
        start += int(rng.integers(5, 15)) * spacing if often else len(series["S.G"])


def _deteriorate(
    rng: np.random.Generator, series: dict[str, Array], since: Array, pattern: Pattern
) -> None:
    """Q and D from the turn on; ``since`` is in batches."""
    if pattern == "swings":
        bad = (since >= 0) & (rng.random(len(since)) < rng.uniform(0.4, 0.8))
        sunk = np.clip(since / 15, 0, 1) * rng.uniform(0.2, 0.5)
        series["Q"] *= np.where(bad, rng.uniform(0.02, 0.7, len(since)), 1)
        series["D"] *= 1 - sunk - bad * rng.uniform(0.05, 0.4, len(since))
        return
    batches = rng.uniform(10, 15) if pattern == "slow_collapse" else rng.uniform(1, 5)
    behind = rng.uniform(0, 5)
    series["D"] *= 1 - rng.uniform(0.4, 0.65) * np.clip(since / batches, 0, 1)
    series["Q"] *= 1 - rng.uniform(0.3, 0.9) * np.clip((since - behind) / batches, 0, 1)


def _records(
    series: dict[str, Array], length: int, spacing: int
) -> list[tuple[int, float | None, dict[str, float]]]:
    quality = np.clip(series["Q"], 0, 1).tolist()
    diversity = np.maximum(series["D"], 0).tolist()
    generator, discriminator = series["S.G"].tolist(), series["S.D"].tolist()
    records = []
    for i in range(length):
        step = i + 1
        values = {"S.G": generator[i], "S.D": discriminator[i]}
        if step % spacing == 0:
            batch = step // spacing - 1
            values |= {"Q": quality[batch], "D": diversity[batch]}
        records.append((step, float(step) if spacing == 1 else None, values))
    return records
