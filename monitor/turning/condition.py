"""A condition that has to hold for a while before it is told, and to be over for as long."""

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True)
class Condition:
    """One early warning of one run, with hysteresis.

    Attributes:
        kind: of the warning.
        since: step at which it began to hold without a break; None while it does not.
        held: observations since then.
        over: while told: observations in a row after which it was over.
        ended: step of the first of these.
        told: step that the warning named; None while there is none open.
        metrics: that the open warning named.
    """

    kind: str
    since: int | None = None
    held: int = 0
    over: int = 0
    ended: int = 0
    told: int | None = None
    metrics: tuple[str, ...] = ()

    def see(
        self, holds: bool, over: bool, step: int, first_step: int, needed: int
    ) -> Literal["", "begins", "ends"]:
        """Take one observation.

        Args:
            holds: the condition is met.
            over: it is clearly not; between the two, nothing changes.
            step: of the observation.
            first_step: where the observation began.
            needed: observations in a row that decide.
        """
        if holds:
            self.since, self.held = self.since if self.held else first_step, self.held + 1
        elif self.told is None or over:
            self.since, self.held = None, 0
        if not over:
            self.over = 0
        elif self.over == 0:
            self.over, self.ended = 1, first_step
        else:
            self.over += 1
        if self.told is None and self.held >= needed:
            self.told = self.since
            return "begins"
        if self.told is not None and self.over >= needed:
            return "ends"
        return ""

    def close(self) -> None:
        """Forget all; it may be told again."""
        self.since = self.told = None
        self.held = self.over = 0
        self.metrics = ()

    def rewind(self, step: int) -> None:
        """The run went back to this step: what is still to come again is forgotten."""
        if self.told is not None and self.told <= step:
            self.over = 0
        else:
            self.close()
