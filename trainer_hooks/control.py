"""The way back from the monitor: alerts and the request to stop, as they come with heartbeats.

The sender's thread brings them, the training thread asks; nobody waits for anybody.
"""

from collections.abc import Callable, Iterable

from trainer_hooks.answers import Alert, Answer, time_of
from trainer_hooks.complaints import Complaints

OnAlert = Callable[[Alert], object]


class Ear:
    """Somebody to whom every alert is told once.

    Args:
        tell: called with each; None: they are asked for.
    """

    def __init__(self, tell: OnAlert | None = None) -> None:
        self.tell = tell
        self._last: tuple[Alert, ...] = ()
        self._told: set[str] = set()

    def fresh(self, alerts: tuple[Alert, ...]) -> list[Alert]:
        """Those of `alerts`, which only grow, that were not told before."""
        if alerts is self._last:
            return []
        self._last = alerts
        found = [alert for alert in alerts if id_of(alert) not in self._told]
        self._told.update(map(id_of, found))
        return found


class Control:
    """What a training may act on.

    Args:
        resumed: whether the run may have alerts from earlier processes; they are not told again.

    Attributes:
        alerts: all of the run, as of the last heartbeat, oldest first.
        earlier: ids of those that earlier processes raised.
        stop: whether a stop is asked for.
        ring: what is told of the ring of checkpoints, as JSON; "" for nothing.
    """

    def __init__(self, *, resumed: bool) -> None:
        self.alerts: tuple[Alert, ...] = ()
        self.earlier: frozenset[str] | None = None if resumed else frozenset()
        self.stop = False
        self.ring = ""
        self._deaf_until_s = 0.0
        self._asking = Ear()
        self._ears: list[Ear] = []

    def hear(self, answer: Answer) -> None:
        """Take the answer of a heartbeat; called by the sender's thread."""
        if self.earlier is None:
            self.earlier = frozenset(map(id_of, answer.alerts))
        self.alerts, self.stop = answer.alerts, answer.stop

    def fresh(self) -> list[Alert]:
        """Alerts since the last call."""
        return self._news(self._asking)

    def listen(self, tell: OnAlert) -> None:
        """Have `tell` called by `call_listeners`, with each alert once."""
        self._ears.append(Ear(tell))

    def call_listeners(self, complaints: Complaints) -> None:
        """Tell those who listen; called by the training thread. What they raise is counted."""
        for ear in self._ears:
            for alert in self._news(ear):
                assert ear.tell is not None
                try:
                    ear.tell(alert)
                except Exception as error:
                    complaints.about(error, "on_alert", "bad_callback")

    def rewound(self, now_s: float) -> None:
        """What was pushed before now is no longer part of the training: nor are alerts of it."""
        self._deaf_until_s = now_s

    def forget(self) -> None:
        """The run has ended: hold nothing of the trainer's."""
        self._ears.clear()

    def _news(self, ear: Ear) -> list[Alert]:
        # Read once: the other thread may replace it meanwhile.
        return list(self._own(ear.fresh(self.alerts)))

    def _own(self, alerts: Iterable[Alert]) -> Iterable[Alert]:
        for alert in alerts:
            if id_of(alert) not in (self.earlier or ()) and time_of(alert) >= self._deaf_until_s:
                yield alert


def id_of(alert: Alert) -> str:
    """What tells it from others of the run."""
    return str(alert.get("id"))
