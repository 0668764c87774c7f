"""The curves of a training in which nothing happens, and the noise on them."""

import numpy as np
from numpy.typing import NDArray

from monitor.turning.simulation.character import Character
from monitor.turning.simulation.plan import Plan

Array = NDArray[np.float64]

#: Degrees of freedom of the noise (Student's t): kurtosis 5 was measured for S.D.
STABILITY_TAILS, SAMPLE_TAILS = 7, 4
#: Correlation of neighbours: S measured 0.2 to 0.44, Q 0.18, D none.
STABILITY_MEMORY, SAMPLE_MEMORY = 0.3, 0.2
#: Angles of the first steps, radians.
GENERATOR_START, DISCRIMINATOR_START = 0.016, 0.010
#: A gradient penalty: share of the noise of S that is left, and the factor on the time to learn
#: (recorded: Q 0.57 after 7,800 iterations instead of 2,400).
PENALTY_NOISE, PENALTY_PACE = 0.5, 2.0


def settling(rng: np.random.Generator, plan: Plan, character: Character) -> dict[str, Array]:
    """S of both networks at every push of weights, from large to small on a log scale."""
    time = np.arange(1, plan.steps // plan.weights_every + 1) * plan.weights_every / plan.steps
    share = plan.noise * (PENALTY_NOISE if plan.penalty else 1)
    series = {}
    for network, start, ends, noises in (
        ("S.G", GENERATOR_START, character.generator_end, character.generator_noise),
        ("S.D", DISCRIMINATOR_START, character.discriminator_end, character.discriminator_noise),
    ):
        end, deviation = rng.uniform(*ends), rng.uniform(*noises) * share
        above = np.log(start / end) * np.exp(-time / rng.uniform(0.05, 0.3))
        noise = noise_of(rng, len(time), deviation, STABILITY_TAILS, STABILITY_MEMORY)
        series[network] = end * np.exp(above + noise)
    return series


def learning(rng: np.random.Generator, plan: Plan, character: Character) -> dict[str, Array]:
    """Q rises to a plateau while D goes from where noise images put it to a plateau of its own."""
    time = np.arange(1, plan.batches + 1) / plan.batches
    pace = character.pace * (PENALTY_PACE if plan.penalty else 1)
    appear, width = rng.uniform(0.03, 0.12) * pace, rng.uniform(0.01, 0.03) * pace
    learnt = 1 / (1 + np.exp((appear - time) / width))
    # Of 100 faces, or of the paper's 10,177 identities.
    plateau = rng.uniform(7.3, 8.3) if plan.batch_every == 1 else rng.uniform(3.0, 4.2)
    start = plateau + rng.uniform(-2.0, 0.5)
    quality, diversity = (
        noise_of(rng, len(time), rng.uniform(*noises) * plan.noise, SAMPLE_TAILS, SAMPLE_MEMORY)
        for noises in ((0.01, 0.05), (0.04, 0.15))
    )
    return {
        "Q": rng.uniform(0.6, 0.96) * learnt + quality * learnt,
        "D": start + (plateau - start) * learnt + diversity,
    }


def noise_of(
    rng: np.random.Generator, n: int, deviation: float, tails: int, memory: float
) -> Array:
    """Heavy-tailed noise with a given standard deviation and correlation of neighbours."""
    fresh: Array = rng.standard_t(tails, n) * deviation * np.sqrt((1 - 2 / tails) * (1 - memory**2))
    for i in range(1, n):
        fresh[i] += memory * fresh[i - 1]
    return fresh
