"""A change of one metric, and the way back from it."""

from dataclasses import dataclass

#: Observations in a row near the old level that make a recovery; with fewer, a metric that
#: swings would recover at each swing.
CALM_NEEDED = 5
#: An observation is near the old level within so many standard units, or within this share of
#: the way that the metric had gone.
NEAR_UNITS, NEAR_SHARE = 1.5, 0.25


@dataclass(frozen=True, slots=True)
class Change:
    """A suspected or certain change, with the figures for its message.

    Attributes:
        metric: who changed.
        family: ``S``, ``Q`` or ``D``.
        onset: step where it began.
        step: step of the latest point that showed it.
        before: level before, in the metric's unit.
        after: worse of the latest two values (of S: the peak), in the metric's unit.
        units: distance of the two in robust standard deviations.
    """

    metric: str
    family: str
    onset: int
    step: int
    before: float
    after: float
    units: float


@dataclass(slots=True)
class Turn:
    """A metric that has turned and not come back.

    Attributes:
        change: what turned it.
        level: observation expected before the change (S: log).
        way: how far it went in the bad direction, in the observation's unit.
        grave: more than one family turned, or the modes collapsed.
        collapsed: of D: half of its modes are gone, and that has been considered.
        age: observations since then.
        calm: observations in a row near the old level.
        calm_step: where the first of them began.
    """

    change: Change
    level: float
    way: float
    grave: bool = False
    collapsed: bool = False
    age: int = 0
    calm: int = 0
    calm_step: int = 0

    def recovers(self, observed: float, step: int, bad: int, sigma: float) -> bool:
        """Take one observation; True when the metric is back at its old level.

        Args:
            observed: in the observation's unit (S: log).
            step: where the observation began.
            bad: +1 if rising is bad, -1 if falling is.
            sigma: robust standard deviation before the change.
        """
        self.age += 1
        near = max(NEAR_UNITS * sigma, NEAR_SHARE * self.way)
        calm = (observed - self.level) * bad <= near
        self.calm_step = step if calm and self.calm == 0 else self.calm_step
        self.calm = self.calm + 1 if calm else 0
        return self.calm >= CALM_NEEDED
