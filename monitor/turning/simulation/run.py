"""One simulated training, as the detector is fed it."""

from dataclasses import dataclass

import numpy as np

from monitor.turning.replay import Record
from monitor.turning.simulation.character import CHARACTERS
from monitor.turning.simulation.happenings import Happening
from monitor.turning.simulation.healthy import Array, learning, settling
from monitor.turning.simulation.plan import HEALTHY, TURNING, Plan

#: Where in a run something happens, as a share of its length.
EARLIEST, LATEST = 0.4, 0.8


@dataclass(frozen=True)
class Simulation:
    """One simulated run.

    Attributes:
        plan: what it was made from.
        turn: step at which Q or D begins to deteriorate; None in a healthy run.
        records: its points, in order.
    """

    plan: Plan
    turn: int | None
    records: list[Record]


def simulate(plan: Plan, seed: int) -> Simulation:
    """The training that this plan and this seed make; equal for equal ones."""
    kind = (*TURNING, *HEALTHY).index(plan.pattern)
    rng = np.random.default_rng([seed, kind, plan.batches, plan.batch_every])
    character = CHARACTERS[plan.loss]
    batch = round(rng.uniform(EARLIEST, LATEST) * plan.batches)
    series = settling(rng, plan, character) | learning(rng, plan, character)
    Happening(rng, plan, character, batch).happen(series)
    turn = (batch + 1) * plan.batch_every if plan.pattern in TURNING else None
    return Simulation(plan, turn, _records(plan, series, character.critic_steps))


def _records(plan: Plan, series: dict[str, Array], critic_steps: int) -> list[Record]:
    """One record a step at which anything is sent."""
    if critic_steps > 1 and plan.batch_every > 1:
        idle = np.arange(len(series["S.G"])) % critic_steps != 0
        series["S.G"] = np.where(idle, 0.0, series["S.G"])
    sent: dict[int, dict[str, float | None]] = {}
    for name, values in series.items():
        if name[0] not in plan.families:
            continue
        every = plan.weights_every if name.startswith("S.") else plan.batch_every
        held = _held(name, values).tolist()
        for number, value in enumerate(held, start=1):
            sent.setdefault(number * every, {})[name] = value
    epochs = plan.batch_every == 1
    return [Record(step, float(step) if epochs else None, sent[step]) for step in sorted(sent)]


def _held(name: str, values: Array) -> Array:
    """Within what the metric can be."""
    held: Array = np.clip(values, 0, 1 if name == "Q" else None)
    return held
