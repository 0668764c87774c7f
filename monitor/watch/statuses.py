"""Statuses: told when they change; silence is a loss once a living trainer would be heard."""

import logging
from collections.abc import Callable, Collection, Iterable

from monitor.alerts.raising import lost_alert
from monitor.logs import about
from monitor.store.alerts import read_alerts
from monitor.store.connection import Store
from monitor.store.pulses import Pulse
from monitor.store.watching import Lease, WatchStore

log = logging.getLogger(__name__)

#: Pulses are taken more often than this, seconds: after a longer pause Redis was away, or we were.
LONGEST_PAUSE_S = 10.0
#: Trainers that live are heard again this long after it, seconds: their longest wait before they
#: connect again, and a beat. Until then their silence says nothing.
RETURN_S = 10.0
#: Which alerts of the clock are over in each status: a trainer that is heard is not lost, and where
#: nobody trains, no worker is late.
ENDED_BY = {
    "running": ("trainer_lost",),
    "finished": ("trainer_lost", "worker_behind"),
    "lost": ("worker_behind",),
}


class Statuses:
    """What listeners were told of each run of a shard.

    Args:
        store: both Redis servers.
        mine: where changes and alerts are stored.
        clock: seconds that only go forward.
    """

    def __init__(self, store: Store, mine: WatchStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._mine = mine
        self._clock = clock
        self._told: dict[str, str] = {}
        self._heard_s = float("-inf")
        self._deaf_until_s = 0.0

    def tell(self, lease: Lease, pulses: Iterable[Pulse]) -> None:
        """Tell of every status that is another than before; all runs, every few seconds."""
        deaf = self._is_deaf()
        told, self._told = self._told, {}
        for pulse in pulses:
            known = told.get(pulse.run, "")
            silent = pulse.status == "lost" and not pulse.crash
            if known != pulse.status and not (deaf and silent):
                self._commit(lease, pulse)
                if known:
                    with about(pulse.run, pulse.last_step):
                        log.info("the trainer was %s and is %s", known, pulse.status)
                known = pulse.status
            self._told[pulse.run] = known

    def forget(self) -> None:
        """Another may tell from now on."""
        self._told.clear()

    def _is_deaf(self) -> bool:
        now_s = self._clock()
        if now_s - self._heard_s > LONGEST_PAUSE_S:
            self._deaf_until_s = now_s + RETURN_S
        self._heard_s = now_s
        return now_s < self._deaf_until_s

    def _commit(self, lease: Lease, pulse: Pulse) -> None:
        alerts = []
        if pulse.status == "lost":
            since_s = pulse.crashed_s or pulse.heartbeat_s
            alerts.append(lost_alert(pulse.run, pulse.last_step, since_s, pulse.crash))
        over = open_of_kinds(self._store, pulse.run, ENDED_BY[pulse.status])
        times = dict.fromkeys(over, pulse.heartbeat_s)
        self._mine.commit(lease, pulse.run, None, alerts, status=pulse.status, resolved=times)


def open_of_kinds(store: Store, run: str, kinds: Collection[str]) -> list[str]:
    """Ids of a run's alerts of some kinds that are not over."""
    found = read_alerts(store, run)
    return [alert["id"] for alert in found if alert["kind"] in kinds and alert["resolved"] is None]
