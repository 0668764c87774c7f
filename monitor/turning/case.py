"""A run whose truth is known: what a detector is judged on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from monitor.turning.replay import Record
from monitor.turning.settings import family_of

#: Cases that thresholds may be chosen on, and cases that only judge them.
Half = Literal["tuning", "test"]


@dataclass(frozen=True)
class Case:
    """A run whose truth is known.

    Attributes:
        name: for people.
        turn: first and last step at which its turning point may have begun; None if healthy.
        spacing: steps between sample batches.
        records: its points, in order.
    """

    name: str
    turn: tuple[int, int] | None
    spacing: float
    records: tuple[Record, ...]

    @cached_property
    def families(self) -> frozenset[str]:
        """Which of S, Q and D there are."""
        names = {name for record in self.records for name in record.values}
        return frozenset(found.name for found in map(family_of, names) if found is not None)

    @cached_property
    def points(self) -> int:
        """Values of S, Q and D."""
        return sum(family_of(name) is not None for r in self.records for name in r.values)
