"""The best that a metric has held: what creeps away from it is seen, however slowly it goes."""

from dataclasses import dataclass, field
from statistics import median

from monitor.turning.change import Change
from monitor.turning.settings import COLLAPSE_NATS

#: Observations whose median is a level: enough that the largest of many is hardly above the truth.
OBSERVATIONS = 7


@dataclass(slots=True)
class Crest:
    """Largest level that D held so far; constant in size.

    A baseline follows what creeps, as it has to: most of it is no news. The crest stays where it
    is, as the baseline does when a run goes back.

    Attributes:
        recent: the last observations, at most `OBSERVATIONS`.
        level: the largest median of them, in nats; 0 before the first.
        held: the present one, likewise.
        step: of the latest observation that had not gone half of the way to a collapse.
    """

    recent: list[float] = field(default_factory=list)
    level: float = 0.0
    held: float = 0.0
    step: int = 0

    def feed(self, step: int, value: float) -> bool:
        """Take one observation.

        Args:
            step: of it.
            value: in nats.
        Returns:
            Whether half of the effective modes are gone since the crest.
        """
        self.recent = [*self.recent[1 - OBSERVATIONS :], value]
        if len(self.recent) < OBSERVATIONS:
            return False
        self.held = median(self.recent)
        self.level = max(self.level, self.held)
        if self.held >= self.level - COLLAPSE_NATS / 2:
            self.step = step
        return self.held <= self.level - COLLAPSE_NATS

    def change(self, step: int, sigma: float) -> Change:
        """The way down from the crest, as of now.

        Args:
            step: of the newest observation.
            sigma: robust standard deviation of one.
        """
        units = round((self.level - self.held) / sigma, 1)
        return Change("D", "D", self.step, step, self.level, self.held, units)

    def rewind(self, step: int) -> None:
        """The run went back: what was seen since is undone."""
        self.recent = []
        self.step = min(self.step, step)
