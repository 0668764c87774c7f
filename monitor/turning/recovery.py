"""Alerts that were told and are not over yet, and what they wait for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.turning import sayings
from monitor.turning.change import Change
from monitor.types import TurningPoint

#: Events remembered at most; the oldest is let go.
MOST_OPEN = 16


@dataclass(slots=True)
class Told:
    """One event of which alerts told.

    Attributes:
        alerts: kind and step of each.
        waiting: metrics that are not back.
        backs: change of each that is, and where it is now, in its unit.
    """

    alerts: list[tuple[str, int]]
    waiting: list[str]
    backs: list[tuple[Change, float]] = field(default_factory=list)


@dataclass(slots=True)
class Recoveries:
    """Closes each event when all of its metrics are back.

    Attributes:
        turned: events of S, Q and D, oldest first.
        broken: values that were not finite, likewise.
    """

    turned: list[Told] = field(default_factory=list)
    broken: list[Told] = field(default_factory=list)

    def tell(self, found: TurningPoint, waiting: Sequence[str]) -> None:
        """Note an alert and the metrics that have turned in it; an escalation joins its event."""
        for told in self.turned:
            if set(told.waiting) & set(waiting):
                told.alerts.append((found.kind, found.step))
                told.waiting += [name for name in waiting if name not in told.waiting]
                return
        if not waiting:
            return
        told = Told([(found.kind, found.step)], list(waiting))
        self.turned = [*self.turned[1 - MOST_OPEN :], told]

    def join(self, waiting: Sequence[str]) -> None:
        """Metrics that turned too, without an alert: the latest event waits for them."""
        if self.turned:
            latest = self.turned[-1]
            latest.waiting += [name for name in waiting if name not in latest.waiting]

    def back(self, change: Change, value: float, step: int, seen_step: int) -> TurningPoint | None:
        """A metric is back at its old level; the event that is over with that, if one is.

        Args:
            change: what had turned it.
            value: where it is now, in its unit.
            step: since when.
            seen_step: of the point that settled it.
        """
        for told in self.turned:
            if change.metric in told.waiting:
                told.waiting.remove(change.metric)
                told.backs.append((change, value))
                if not told.waiting:
                    self.turned.remove(told)
                    return sayings.recovered(told.backs, told.alerts, step, seen_step)
        return None

    def let_go(self, metric: str) -> None:
        """A level that never recovered is the new normal: nothing waits for it any more."""
        for told in self.turned:
            if metric in told.waiting:
                told.waiting.remove(metric)
        self.turned = [told for told in self.turned if told.waiting]

    def breaks(self, step: int, metrics: Sequence[str]) -> None:
        """Note values that are not finite."""
        told = Told([("nonfinite", step)], list(metrics))
        self.broken = [*self.broken[1 - MOST_OPEN :], told]

    def mends(self, metric: str, step: int) -> TurningPoint | None:
        """A metric is finite again; the alert that is over with that, if one is."""
        for told in self.broken:
            if metric in told.waiting:
                told.waiting.remove(metric)
                if not told.waiting:
                    self.broken.remove(told)
                    return sayings.finite(metric, told.alerts[0][1], step)
        return None

    def rewind(self, step: int) -> None:
        """Forget what the run, gone back to this step, has not had yet."""
        for told in self.turned:
            told.alerts = [alert for alert in told.alerts if alert[1] <= step]
        self.turned = [told for told in self.turned if told.alerts]
        self.broken = [told for told in self.broken if told.alerts[0][1] <= step]
