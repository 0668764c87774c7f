"""Spans: how long a condition must hold, in points, steps, epochs or time."""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from monitor.errors import RuleError

Unit = Literal["points", "steps", "epochs", "s"]

#: What people write, and what it is counted in, how often.
UNITS: dict[str, tuple[Unit, float]] = {
    **dict.fromkeys(("point", "points", "batch", "batches"), ("points", 1.0)),
    **dict.fromkeys(("step", "steps"), ("steps", 1.0)),
    **dict.fromkeys(("epoch", "epochs"), ("epochs", 1.0)),
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("s", 1.0)),
    **dict.fromkeys(("min", "minute", "minutes"), ("s", 60.0)),
    **dict.fromkeys(("h", "hour", "hours"), ("s", 3600.0)),
}
EXPECTED = "expected a number and batches, steps, epochs, s, min or h, such as `3 batches`"
#: Longest span, in its unit: further than any training goes.
MOST = 1e12
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a training was at one point of a metric.

    Attributes:
        step, epoch: as the trainer said; epoch None if it said none.
        time: Unix seconds of the push.
        count: of the points of a stretch, this one included.
    """

    step: int
    epoch: float | None
    time: float
    count: int = 1

    def as_list(self) -> list[Any]:
        """JSON form."""
        return [self.step, self.epoch, self.time, self.count]


@dataclass(frozen=True, slots=True)
class Span:
    """A length.

    Attributes:
        amount: in `unit`.
        unit: ``points``, ``steps``, ``epochs`` or ``s``.
        text: as it was written.
    """

    amount: float
    unit: Unit
    text: str

    def reached(self, begin: Place, now: Place) -> bool:
        """Whether a stretch from `begin` to `now` is long enough.

        Points are counted, both ends included; steps, epochs and time are differences.
        """
        if self.unit == "points":
            return now.count >= self.amount
        if self.unit == "steps":
            return now.step - begin.step >= self.amount
        if self.unit == "s":
            return now.time - begin.time >= self.amount
        if begin.epoch is None or now.epoch is None:
            return False
        return now.epoch - begin.epoch >= self.amount


#: At once.
ONE_POINT = Span(1, "points", "1 point")
NO_TIME = Span(0, "s", "0 s")


def parse_span(text: str, *, what: str) -> Span:
    """A span as people write it.

    Args:
        text: such as ``3 batches``, ``500 steps``, ``5 min``.
        what: which span it is, for the error.
    Raises:
        RuleError: says what is expected.
    """
    match = _SPAN.fullmatch(text.strip())
    found = UNITS.get(match.group(2).lower()) if match else None
    if match is None or found is None:
        raise RuleError(f"{what} is {text.strip()!r}; {EXPECTED}")
    unit, size = found
    amount = float(match.group(1)) * size
    if not math.isfinite(amount) or amount > MOST:
        raise RuleError(f"{what} is {text.strip()!r}; the longest is {MOST:g}")
    if unit == "points" and (amount < 1 or amount != int(amount)):
        raise RuleError(
            f"{what} is {text.strip()!r}; batches are counted: a whole number from 1 on"
        )
    return Span(amount, unit, " ".join(match.groups()).lower())
