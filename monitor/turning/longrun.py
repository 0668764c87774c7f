"""The long-run mean of a metric, to tell its trend by."""

from dataclasses import dataclass

#: Weight of a new observation.
RATE = 0.03


@dataclass(slots=True)
class LongRun:
    """The mean of the first observations, then an exponential one; constant in size.

    Attributes:
        count: observations since it began (anew).
        mean: of them.
    """

    count: int = 0
    mean: float = 0.0

    def add(self, value: float) -> None:
        """Take one observation."""
        self.count += 1
        self.mean += max(RATE, 1 / self.count) * (value - self.mean)
