"""Events: changes that belong together, so that one event raises one alert and its escalation."""

from dataclasses import dataclass, field, replace

from monitor.turning.change import Change


@dataclass(slots=True)
class Event:
    """Changes close to each other in time, of which an alert told.

    Attributes:
        changes: one a metric, the one that began first in front.
        step: when it was last told of.
        kind: of the latest alert, "" before the first.
        grave: that alert was a turning point or a mode collapse: there is nothing to add.
    """

    changes: list[Change] = field(default_factory=list)
    step: int = 0
    kind: str = ""
    grave: bool = False

    def tell(
        self, kind: str, grave: bool, changes: list[Change], step: int, slack_steps: float
    ) -> None:
        """Add changes and note the alert; of a metric that is in already, the newer figures.

        The older onset is kept if the change went on (with a pause of at most ``slack_steps``).
        """
        known = {change.metric: change for change in self.changes}
        for change in changes:
            older = known.get(change.metric, change)
            if older.onset < change.onset <= older.step + slack_steps:
                change = replace(change, onset=older.onset, before=older.before)
            known[change.metric] = change
        self.changes = sorted(known.values(), key=lambda change: (change.onset, change.metric))
        self.step, self.kind, self.grave = step, kind, grave

    def split(self, slack_steps: float) -> tuple[list[Change], list[Change]]:
        """The changes that make the event, and the jumps of S that came well ahead of it.

        A jump that was over before Q or D moved (or before S jumped again) is worth telling, but
        what is told now did not begin there.

        Args:
            slack_steps: a jump belongs to the event if it ended at most so long before.
        """
        falls = [change.onset for change in self.changes if change.family != "S"]
        begin = min(falls) if falls else max(change.onset for change in self.changes)
        ahead = [
            change
            for change in self.changes
            if change.family == "S" and change.step < begin - slack_steps
        ]
        return [change for change in self.changes if change not in ahead], ahead

    def near(self, step: int, window_steps: float) -> bool:
        """Whether something at this step would belong to the event."""
        return bool(self.changes) and abs(step - self.step) <= window_steps

    def lacks(self, change: Change) -> bool:
        """Whether diversity began to fall after an event was told that knew nothing of it."""
        known = {each.family for each in self.changes}
        return change.family == "D" and "D" not in known and change.onset > self.step
