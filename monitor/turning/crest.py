"""The best that a metric has held: what creeps away from it is seen, however slowly it goes."""

from dataclasses import dataclass, field
from math import exp, log
from statistics import median

from monitor.turning.change import Change
from monitor.turning.settings import HALF_NATS

#: Observations whose median is a level: enough that the largest of many is hardly above the truth.
OBSERVATIONS = 7
#: Smallest Q that counts, so that its logarithm is finite.
LEAST_QUALITY = 1e-6


@dataclass(slots=True)
class Crest:
    """Largest level that Q or D held so far; constant in size.

    A baseline follows what creeps, as it has to: most of it is no news. The crest stays where it
    is, as the baseline does when a run goes back. Levels are nats (D, log Q / `LEAST_QUALITY`):
    ln 2 less is half of the effective modes, e^D, or half of the faces.

    Attributes:
        recent: the last observations, at most `OBSERVATIONS`.
        level: the largest median of them; 0 before the first.
        held: the present one.
        lost: how often half of it went, as far as it is known.
        step: of the latest observation that had not gone half of the way to the next loss.
    """

    recent: list[float] = field(default_factory=list)
    level: float = 0.0
    held: float = 0.0
    lost: int = 0
    step: int = 0

    def feed(self, metric: str, step: int, value: float) -> bool:
        """Take one observation.

        Args:
            metric: ``Q`` or ``D``.
            step: of it.
            value: in the metric's unit.
        Returns:
            Whether half of the crest is gone, or of what was left of it.
        """
        nats = value if metric == "D" else log(max(value / LEAST_QUALITY, 1.0))
        self.recent = [*self.recent[1 - OBSERVATIONS :], nats]
        if len(self.recent) < OBSERVATIONS:
            return False
        self.held = median(self.recent)
        self.level = max(self.level, self.held)
        halves = (self.level - self.held) / HALF_NATS
        if halves <= 0.5:
            self.lost = 0
        if halves <= self.lost + 0.5:
            self.step = step
        return halves >= self.lost + 1

    def fall(self, metric: str, step: int, sigma: float) -> Change:
        """The way down from the crest, as of now, which is known from then on.

        Args:
            metric: as in `feed`.
            step: of the newest observation.
            sigma: robust standard deviation of one.
        """
        before, after = self.level, self.held
        self.lost = int((before - after) / HALF_NATS)
        if metric == "Q":
            before, after = LEAST_QUALITY * exp(before), LEAST_QUALITY * exp(after)
        units = round((before - after) / sigma, 1)
        return Change(metric, metric, self.step, step, before, after, units)

    def rewind(self, step: int) -> None:
        """The run went back: what was seen since is undone."""
        self.recent = []
        self.step = min(self.step, step)
