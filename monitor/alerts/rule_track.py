"""A rule on one run: when it begins to hold, when it tells, when it is over. Constant memory."""

from dataclasses import dataclass, replace
from typing import Any

from monitor.alerts.rule import Rule
from monitor.alerts.span import Place


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule has held for long enough.

    Attributes:
        onset: where the stretch began.
        now: where it became long enough.
        value: there, in the metric's own unit; NaN where it is not finite.
    """

    onset: Place
    now: Place
    value: float


@dataclass(frozen=True, slots=True)
class Over:
    """A rule that told holds no longer, and has not for as long as it had to hold."""

    now: Place


class RuleTrack:
    """What is known of one rule in one run.

    Hysteresis: it tells once, and again only after it was over: its opposite must have held for as
    long as the condition had to (beyond `clear`, where the rule has one). Within the cooldown after
    an alert it stays silent; it tells when the cooldown ends, if it still holds.

    Args:
        rule: of the user.
        state: what `state` returned earlier.
    """

    def __init__(self, rule: Rule, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self.rule = rule
        self._begin = _place(state.get("begin"))
        self._calm = _place(state.get("calm"))
        self._told = _place(state.get("told"))
        self._last = _place(state.get("last"))
        self._count = int(state.get("count", 0))
        self.on = bool(state.get("on", False))

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as JSON."""
        places = {"begin": self._begin, "calm": self._calm, "told": self._told, "last": self._last}
        return {
            **{name: place.as_list() for name, place in places.items() if place is not None},
            "count": self._count,
            "on": self.on,
        }

    def update(self, place: Place, value: float) -> Fired | Over | None:
        """Take the next point of the rule's metric; `value` is NaN where it is not finite."""
        if self._last is not None and place.step < self._last.step:
            # The training went back: what it did before is hidden now. An alert stays on.
            self._begin = self._calm = None
            self._told = None
        self._last = place
        return self._ending(place, value) if self.on else self._beginning(place, value)

    def _beginning(self, place: Place, value: float) -> Fired | None:
        if not self.rule.when.holds(value):
            self._begin = None
            return None
        if self._begin is None:
            self._begin, self._count = place, 0
        self._count += 1
        now = replace(place, count=self._count)
        cooling = self._told is not None and not self.rule.cooldown.reached(self._told, now)
        if cooling or not self.rule.when.lasting.reached(self._begin, now):
            return None
        fired = Fired(self._begin, now, value)
        self.on, self._told, self._begin, self._calm = True, place, None, None
        return fired

    def _ending(self, place: Place, value: float) -> Over | None:
        if not self.rule.when.is_over(value, self.rule.clear):
            self._calm = None
            return None
        if self._calm is None:
            self._calm, self._count = place, 0
        self._count += 1
        now = replace(place, count=self._count)
        if not self.rule.when.lasting.reached(self._calm, now):
            return None
        self.on, self._calm = False, None
        return Over(now)


def _place(stored: Any) -> Place | None:
    return None if stored is None else Place(*stored)
