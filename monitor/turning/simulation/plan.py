"""What a simulated training is: its loss, its rhythm, what is sent of it and what happens in it."""

from dataclasses import dataclass
from typing import Literal

from monitor.turning.simulation.character import Loss

Pattern = Literal[
    "collapse",
    "slow_collapse",
    "swings",
    "calm",
    "rate_down",
    "rate_up",
    "drift",
    "spikes",
    "dip",
]
#: Patterns with a turning point.
TURNING: tuple[Pattern, ...] = ("collapse", "slow_collapse", "swings")
#: Patterns without: the learning rate is lowered or raised (a warm restart), D sinks and S rises
#: slowly, S jumps and Q and D do not care, or Q dips with it for one batch and is back.
HEALTHY: tuple[Pattern, ...] = ("calm", "rate_down", "rate_up", "drift", "spikes", "dip")


@dataclass(frozen=True, slots=True)
class Plan:
    """One simulated training before chance has its say.

    Attributes:
        pattern: what happens in it.
        loss: whose S and whose pace of learning it has.
        penalty: a gradient penalty: slower learning, half the noise and smaller jumps of S.
        batches: sample batches in all.
        batch_every: steps between them; 1: every metric once an epoch, as in the paper.
        weights_every: steps between pushes of the weights.
        noise: factor on the noise of every metric.
        families: those of ``S``, ``Q`` and ``D`` that the trainer sends.
    """

    pattern: Pattern
    loss: Loss = "nsgan"
    penalty: bool = False
    batches: int = 60
    batch_every: int = 200
    weights_every: int = 1
    noise: float = 1.0
    families: str = "SQD"

    @property
    def steps(self) -> int:
        """Length of the run."""
        return self.batches * self.batch_every
