"""The user's rules on one run: fed with its rows, they raise alerts, end them, ask for a stop."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from monitor.alerts.raising import rule_alert
from monitor.alerts.rule import Rule
from monitor.alerts.rule_track import Fired, Over, RuleTrack
from monitor.alerts.span import Place
from monitor.types import Alert
from monitor.watch.reading import Moment


@dataclass(slots=True)
class _Followed:
    """A rule's track, and the alert that it raised last."""

    track: RuleTrack
    alert: str = ""


class RunRules:
    """The rules that concern one run.

    Args:
        run: its id.
        state: what `state` returned earlier.
    """

    def __init__(self, run: str, state: dict[str, Any] | None = None) -> None:
        self._run = run
        self._known: dict[str, dict[str, Any]] = dict(state or {})
        self._followed: dict[str, _Followed] = {}
        #: When alerts were over, by id; and rules that asked for a stop with their alerts. Whoever
        #: feeds takes them away.
        self.over: dict[str, float] = {}
        self.stops: list[Alert] = []

    @property
    def metrics(self) -> list[str]:
        """What the rules must be fed with."""
        return sorted({each.track.rule.when.metric for each in self._followed.values()})

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as JSON."""
        followed = {
            name: {**each.track.state(), "alert": each.alert}
            for name, each in self._followed.items()
        }
        return {**self._known, **followed}

    def choose(self, rules: Iterable[Rule], now_s: float) -> None:
        """Follow these rules from here on.

        Args:
            rules: all there are; those of other runs are left out.
            now_s: when alerts of rules that are gone are over, Unix seconds.
        """
        wanted = {rule.id: rule for rule in rules if rule.concerns(self._run)}
        before = self.state()
        for name in before.keys() - wanted.keys():
            if before[name]["on"]:
                self.over[before[name]["alert"]] = now_s
        self._known = {}
        self._followed = {
            name: _Followed(
                RuleTrack(rule, before.get(name)), before.get(name, {}).get("alert", "")
            )
            for name, rule in wanted.items()
        }

    def feed(self, moment: Moment) -> list[Alert]:
        """Take the next row; the alerts that are new."""
        alerts, place = [], Place(moment.step, moment.epoch, moment.time)
        for each in self._followed.values():
            value = moment.values.get(each.track.rule.when.metric)
            if value is None:
                continue
            found = each.track.update(place, value)
            if isinstance(found, Fired):
                alert = rule_alert(self._run, each.track.rule, found)
                each.alert = alert.id
                alerts.append(alert)
                if each.track.rule.action == "stop":
                    self.stops.append(alert)
            elif isinstance(found, Over):
                self.over[each.alert] = found.now.time
        return alerts
