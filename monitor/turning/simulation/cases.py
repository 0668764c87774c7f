"""Simulated cases for tuning and for testing, which cannot be mixed up: every seed has a half."""

from collections.abc import Iterator

import numpy as np

from monitor.turning.case import Case, Half
from monitor.turning.simulation.character import CHARACTERS
from monitor.turning.simulation.plan import HEALTHY, TURNING, Pattern, Plan
from monitor.turning.simulation.run import simulate

#: First number of every seed. No threshold was ever chosen on a case of the half "test".
HALVES: dict[Half, int] = {"tuning": 0, "test": 1}
#: What is sent: mostly everything, sometimes S alone, Q and D alone, or one of them missing.
FAMILIES = ("SQD",) * 6 + ("S", "QD", "SD", "SQ")
#: Rhythms: steps between sample batches, between pushes of weights, batches at least and at most.
RHYTHMS = (
    (1, 1, 100, 300),
    (50, 1, 60, 120),
    (100, 1, 50, 120),
    (200, 1, 45, 80),
    (200, 10, 45, 120),
    (500, 5, 45, 80),
)
#: Factors on the noise.
QUIET, LOUD = 0.6, 1.4


def cases(half: Half, count: int) -> Iterator[Case]:
    """Simulated cases, half of them with a turning point, in a fixed order.

    Args:
        half: whose seeds.
        count: of cases; more begin with the same ones.
    """
    for number in range(count):
        rng = np.random.default_rng([HALVES[half], number])
        plan = draw(rng, number)
        run = simulate(plan, int(rng.integers(2**32)))
        turn = None if run.turn is None else (run.turn, run.turn)
        name = f"{plan.loss}{'-gp' if plan.penalty else ''} {plan.pattern} {plan.families}"
        yield Case(f"{name} {half} {number}", turn, plan.batch_every, tuple(run.records))


def draw(rng: np.random.Generator, number: int) -> Plan:
    """A plan; patterns and losses take turns, chance decides the rest."""
    patterns = TURNING if number % 2 == 0 else HEALTHY
    pattern: Pattern = patterns[number // 2 % len(patterns)]
    families = str(rng.choice(FAMILIES))
    if families == "S" and pattern in ("spikes", "dip", "rate_up", "slow_collapse"):
        # S alone cannot tell jumps that matter from others, nor say when D began to fall.
        families = "SQD"
    every, weights_every, fewest, most = RHYTHMS[rng.integers(len(RHYTHMS))]
    return Plan(
        pattern=pattern,
        loss=list(CHARACTERS)[rng.integers(len(CHARACTERS))],
        penalty=bool(rng.integers(2)),
        batches=int(rng.integers(fewest, most + 1)),
        batch_every=every,
        weights_every=weights_every,
        noise=float(rng.uniform(QUIET, LOUD)),
        families=families,
    )
