"""One-sided CUSUM (Page, 1954) of robustly clipped standard units."""

from dataclasses import dataclass

from monitor.turning.block import Observation
from monitor.turning.settings import Family

#: Drift in standard units that is let through: a change under this size never adds up.
ALLOWANCE = 1.25
#: How much one good observation can take back beyond the allowance. Without this limit a metric
#: that swings, half its batches good and half bad, would cancel its own evidence.
CREDIT = 0.5
#: Evidence under this is noise that has not died down: a change begins after it.
NEGLIGIBLE = 2.0
#: The sum is held below this multiple of the threshold for a change alone, so that it sinks soon
#: once the metric is back.
CEILING = 2.0


@dataclass(slots=True)
class Cusum:
    """Evidence that the level has moved in the bad direction.

    ``sum ← max(0, sum + clip(z) − allowance)``; the change began where the sum last left
    zero, or what is next to zero.

    Attributes:
        sum: the evidence, in standard units.
        onset: step at which it last left the negligible; None while it is zero.
        age: observations since then.
        before: forecast at the onset, in the observation's unit (S: log).
        extreme: worst value since then, likewise.
    """

    sum: float = 0.0
    onset: int | None = None
    age: int = 0
    before: float = 0.0
    extreme: float = 0.0

    def add(self, observation: Observation, forecast: float, sigma: float, family: Family) -> None:
        """Weigh one observation against what was expected.

        Args:
            observation: a value of Q or D, a block of S.
            forecast: the value expected.
            sigma: robust standard deviation.
            family: gives the bad direction, the clip and the ceiling.
        """
        units = (observation.value - forecast) * family.bad / sigma
        gain = max(-CREDIT, min(family.clip, units)) - ALLOWANCE
        begins = self.sum < NEGLIGIBLE
        self.sum = min(CEILING * family.alone, max(0.0, self.sum + gain))
        self.age = 1 if begins else self.age + 1
        if self.sum == 0.0 or self.age > family.patience:
            self.reset()
        elif begins:
            self.onset = observation.first_step
            self.before, self.extreme = forecast, observation.worst
        elif (observation.worst - self.extreme) * family.bad > 0:
            self.extreme = observation.worst

    def reset(self) -> None:
        """No evidence."""
        self.sum, self.onset, self.age = 0.0, None, 0
