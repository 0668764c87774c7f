"""Grouping: alerts that come close together tell of one event; people are told of it once."""

from dataclasses import replace
from typing import Any

from monitor.types import SEVERITIES, Alert

#: Alerts of a run that come within this time after the first of an event belong to it, seconds.
EVENT_S = 120.0


class Grouping:
    """Finds, in the order in which a run's alerts are raised, those that are news.

    Args:
        state: what `state` returned earlier.
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self._first_s: float | None = (state or {}).get("first_s")
        self._head: str = (state or {}).get("head", "")
        self._severity: str = (state or {}).get("severity", SEVERITIES[0])

    def state(self) -> dict[str, Any]:
        """When the event began, and the alert that told of it most gravely; JSON."""
        return {"first_s": self._first_s, "head": self._head, "severity": self._severity}

    def place(self, alert: Alert) -> Alert:
        """The alert, with `follows` if it tells no news."""
        began_s = self._first_s
        if began_s is None or not 0 <= alert.time - began_s <= EVENT_S:
            self._first_s = alert.time
        elif SEVERITIES.index(alert.severity) <= SEVERITIES.index(self._severity):
            return replace(alert, follows=self._head)
        self._head, self._severity = alert.id, alert.severity
        return alert
