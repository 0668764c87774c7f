"""The best that a metric has held: what creeps away from it is seen, however slowly it goes."""

from dataclasses import dataclass, field
from statistics import median

#: Observations whose median is a level: enough that the largest of many is hardly above the truth.
OBSERVATIONS = 7


@dataclass(slots=True)
class Crest:
    """Largest level held so far; constant in size.

    A baseline follows what creeps, as it has to: most of it is no news. The crest stays where it
    is, until the run goes back to before it.

    Attributes:
        recent: the last observations, at most `OBSERVATIONS`.
        level: the largest median of them, in their unit; None before the first.
        held: the present one, likewise.
        step: of the latest observation that had not gone half of the way that matters.
    """

    recent: list[float] = field(default_factory=list)
    level: float | None = None
    held: float | None = None
    step: int = 0

    def feed(self, step: int, value: float, matters: float) -> bool:
        """Take one observation.

        Args:
            step: of it.
            value: in its unit.
            matters: way down from the crest that is too far, likewise.
        Returns:
            Whether the level is as far below the crest, or further.
        """
        self.recent = [*self.recent[1 - OBSERVATIONS :], value]
        if len(self.recent) < OBSERVATIONS:
            return False
        self.held = median(self.recent)
        self.level = self.held if self.level is None else max(self.level, self.held)
        if self.held >= self.level - matters / 2:
            self.step = step
        return self.held <= self.level - matters

    def rewind(self, step: int) -> None:
        """The run went back: what was seen since is undone."""
        self.recent = []
        self.step = min(self.step, step)
