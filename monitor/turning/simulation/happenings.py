"""What can happen to a training: S jumps, Q and D deteriorate, the learning rate changes."""

from dataclasses import dataclass

import numpy as np

from monitor.turning.simulation.character import Character
from monitor.turning.simulation.healthy import Array
from monitor.turning.simulation.plan import TURNING, Plan

#: Iterations of a jump of S, and epochs where there is one value an epoch.
JUMP_ITERATIONS, JUMP_EPOCHS = (25, 101), (2, 6)
#: Height of a jump from epoch to epoch: many iterations add up (SQD paper, Figures 3 and 7).
EPOCH_JUMP = (3, 15)
#: A gradient penalty takes this power of every jump.
PENALTY_POWER = 0.7
#: Least jump of S.D that S alone can be asked to tell.
TELLING_JUMP = 6.0
#: Batches from one jump to the next where they come again and again.
JUMPS_APART = (5, 15)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that begins in a training.

    Attributes:
        rng: chance.
        plan: of the run.
        character: of its loss.
        batch: number of the sample batch with which it begins, from 0.
    """

    rng: np.random.Generator
    plan: Plan
    character: Character
    batch: int

    def happen(self, series: dict[str, Array]) -> None:
        """Change the healthy curves from here on."""
        pattern = self.plan.pattern
        if pattern in TURNING or pattern in ("spikes", "dip"):
            self._jump(series)
        if pattern in TURNING:
            self._deteriorate(series)
        if pattern == "dip":
            # Recorded in an NSGAN: Q 0.92, 0.57, 0.92.
            series["Q"][self.batch] *= self.rng.uniform(0.3, 0.7)
        if pattern in ("rate_down", "rate_up"):
            self._change_rate(series)
        if pattern == "drift":
            self._drift(series)

    def _jump(self, series: dict[str, Array]) -> None:
        """S jumps for some iterations: once, ahead of the fall, or again and again."""
        often = self.plan.pattern in ("swings", "spikes")
        ahead = 0.0 if often else self.rng.uniform(*self.character.ahead)
        step = (self.batch - ahead) * self.plan.batch_every
        while step < self.plan.steps:
            self._jump_once(series, step)
            apart = int(self.rng.integers(*JUMPS_APART)) * self.plan.batch_every
            step += apart if often else self.plan.steps

    def _jump_once(self, series: dict[str, Array], step: float) -> None:
        rng, plan, epochs = self.rng, self.plan, self.plan.batch_every == 1
        length = int(rng.integers(*(JUMP_EPOCHS if epochs else JUMP_ITERATIONS)))
        height = rng.uniform(*(EPOCH_JUMP if epochs else self.character.jump))
        power = PENALTY_POWER if plan.penalty else 1
        least = TELLING_JUMP if plan.families == "S" else 0.0
        place = slice(
            int(step / plan.weights_every), int(np.ceil((step + length) / plan.weights_every))
        )
        series["S.D"][place] *= max(least, height**power)
        series["S.G"][place] *= rng.uniform(*self.character.generator_jump) ** power

    def _deteriorate(self, series: dict[str, Array]) -> None:
        rng, since = self.rng, np.arange(self.plan.batches) - float(self.batch)
        if self.plan.pattern == "swings":
            bad = (since >= 0) & (rng.random(len(since)) < rng.uniform(0.4, 0.8))
            bad[self.batch] = True
            sunk = np.clip(since / 15, 0, 1) * rng.uniform(0.2, 0.5)
            series["Q"] *= np.where(bad, rng.uniform(0.02, 0.7, len(since)), 1)
            series["D"] *= 1 - sunk - bad * rng.uniform(0.05, 0.4, len(since))
            return
        batches = rng.uniform(10, 15) if self.plan.pattern == "slow_collapse" else rng.uniform(1, 5)
        behind = rng.uniform(0, 5)
        series["D"] *= 1 - rng.uniform(0.4, 0.65) * np.clip((since + 1) / batches, 0, 1)
        series["Q"] *= 1 - rng.uniform(0.3, 0.9) * np.clip((since + 1 - behind) / batches, 0, 1)

    def _change_rate(self, series: dict[str, Array]) -> None:
        """Every angle is another from here on; the samples get a little better, or none the worse.

        Raised (a warm restart), S rises by at most threefold and stays there.
        """
        down = self.plan.pattern == "rate_down"
        factor = self.rng.uniform(0.1, 0.5) if down else self.rng.uniform(1.5, 3)
        first = self.batch * self.plan.batch_every // self.plan.weights_every
        for network in ("S.G", "S.D"):
            series[network][first:] *= factor
        if down:
            series["Q"][self.batch :] += self.rng.uniform(0, 0.04)
            series["D"][self.batch :] += self.rng.uniform(-0.05, 0.1)

    def _drift(self, series: dict[str, Array]) -> None:
        plan, rng = self.plan, self.rng
        series["D"] -= rng.uniform(0.2, 0.6) * np.arange(plan.batches) / plan.batches
        series["S.G"] *= 1 + rng.uniform(0.1, 0.5) * np.linspace(0, 1, len(series["S.G"]))
