"""All runs of one shard under watch, while the lease on it is held."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from monitor.alerts.rule import Rule
from monitor.errors import StoreError, UnknownRunError
from monitor.logs import about
from monitor.store.alerts import read_alerts
from monitor.store.connection import Store
from monitor.store.control import ask_to_stop
from monitor.store.events import PAGE, newest_id, read_after
from monitor.store.pulses import Pulse, read_pulses
from monitor.store.watching import Lease, WatchStore
from monitor.types import Alert
from monitor.watch.lateness import Lateness
from monitor.watch.retention import NO_LIMITS, Limits, Retention
from monitor.watch.rulebook import Rulebook
from monitor.watch.run_watch import RunWatch
from monitor.watch.statuses import Statuses
from trainer_hooks import keys

#: How often the pulse of every run is taken, seconds: trainers that went silent raise no event.
SWEEP_S = 5.0
#: State is stored at most this often unless there is an alert, seconds. What is fed again after a
#: crash raises nothing twice.
COMMIT_S = 5.0
#: Longest time a tick feeds what has piled up, seconds: a fraction of the lease.
FEED_S = 2.0

log = logging.getLogger(__name__)


@dataclass
class _Watched:
    """A run's watch, and what of it is not stored yet."""

    watch: RunWatch
    committed_s: float
    unsaved: bool = False
    alerts: list[Alert] = field(default_factory=list)
    over: dict[str, float] = field(default_factory=dict)


class ShardWatch:
    """Watches the runs of one shard.

    Args:
        store: both Redis servers.
        mine: lease and state of this watch.
        shard: number of the shard.
        clock: seconds that only go forward.
        rules: of the file with the settings; those made over REST come on top.
        limits: on what is kept.
        sensitivity: of the detector.
    """

    def __init__(
        self,
        store: Store,
        mine: WatchStore,
        shard: int,
        clock: Callable[[], float],
        rules: Sequence[Rule] = (),
        limits: Limits = NO_LIMITS,
        sensitivity: str = "normal",
    ) -> None:
        self._sensitivity = sensitivity
        self._store = store
        self._mine = mine
        self._statuses = Statuses(store, mine, clock)
        self._lateness = Lateness(store, mine, clock)
        self._rulebook = Rulebook(store, rules)
        self._retention = Retention(store, shard, limits, clock)
        self._shard = shard
        self._clock = clock
        self._lease: Lease | None = None
        self._cursor = ""
        self._next_sweep_s = 0.0
        self._pulses: dict[str, Pulse] = {}
        self._watched: dict[str, _Watched] = {}
        self._broken: set[str] = set()

    @property
    def lease(self) -> Lease | None:
        """The right to watch this shard, as of the last look; None while another has it."""
        return self._lease

    def tick(self) -> None:
        """Look once at what is new, if the lease can be had."""
        lease = self._mine.lease(self._shard)
        if lease is None or lease != self._lease:
            # Somebody else may have watched meanwhile: only what is stored counts.
            self._forget()
            self._lease = lease
        if self._lease is None:
            return
        runs = self._touched()
        due = self._clock() >= self._next_sweep_s
        if due:
            self._next_sweep_s = self._clock() + SWEEP_S
            runs |= self._sweep(self._lease)
        give_up_s = self._clock() + FEED_S
        while runs and self._lease is not None:
            runs = {run for run in sorted(runs - self._broken) if self._look_at(run)}
            if self._clock() >= give_up_s:
                break
        if due and self._lease is not None:
            self._retention.sweep(self._lease, self._pulses.values())

    def release(self) -> None:
        """Store what is not stored yet and give the lease back."""
        for run, watched in list(self._watched.items()):
            if watched.unsaved:
                self._commit(run, watched)
        if self._lease is not None:
            self._mine.release(self._lease)

    def _touched(self) -> set[str]:
        """Runs with new rows since the last look, and those that wait for something."""
        stream = keys.shard_events(self._shard)
        touched = {
            run
            for run, watched in self._watched.items()
            if watched.watch.waiting or watched.watch.more or watched.unsaved
        }
        if not self._cursor:
            self._cursor = newest_id(self._store, stream)
        events = read_after(self._store, stream, self._cursor)
        if len(events) == PAGE:
            # Too many to follow one by one; the sweep finds what they were about.
            self._cursor = newest_id(self._store, stream)
            self._next_sweep_s = 0.0
        elif events:
            self._cursor = events[-1].id
        return touched | {event.run for event in events if event.name == "points"}

    def _sweep(self, lease: Lease) -> set[str]:
        """Tell of changes of status; the runs that have rows we have not seen."""
        pulses = {
            pulse.run: pulse
            for pulse in read_pulses(self._store)
            if keys.shard_of(pulse.run) == self._shard
        }
        before, self._pulses = self._pulses, pulses
        for run in self._watched.keys() - pulses.keys():
            del self._watched[run]
        self._statuses.tell(lease, pulses.values())
        self._lateness.tell(lease, pulses.values())
        if self._rulebook.read():
            for watched in self._watched.values():
                self._rulebook.hand_to(watched.watch)
                watched.unsaved |= bool(watched.watch.rules.over)
        self._let_go()
        return {
            run
            for run, pulse in pulses.items()
            if run not in before or before[run].rows != pulse.rows
        }

    def _let_go(self) -> None:
        """Keep in memory only what is in motion: a store may hold hundreds of old runs."""
        for run, watched in list(self._watched.items()):
            idle = not (watched.unsaved or watched.watch.waiting or watched.watch.more)
            if idle and self._pulses[run].status != "running":
                del self._watched[run]

    def _look_at(self, run: str) -> bool:
        pulse = self._pulses.get(run)
        with about(run, pulse.last_step if pulse else None):
            return self._look(run)

    def _look(self, run: str) -> bool:
        """Feed a page of a run; whether there may be more at once."""
        try:
            watched = self._watched.get(run) or self._open(run)
            places = watched.watch.places
            watched.alerts += watched.watch.advance(self._store, self._clock())
            watched.over |= watched.watch.take_over()
            watched.unsaved |= watched.watch.places != places or bool(watched.over)
            self._ask_for_stops(watched.watch)
        except UnknownRunError:
            self._watched.pop(run, None)
            return False
        except StoreError:
            raise
        except Exception:
            # One run with strange data must not blind the watch for all others.
            log.exception("the run cannot be watched")
            self._watched.pop(run, None)
            self._broken.add(run)
            return False
        due = self._clock() - watched.committed_s >= COMMIT_S
        if watched.unsaved and (watched.alerts or watched.over or due):
            self._commit(run, watched)
        return watched.watch.more

    def _open(self, run: str) -> _Watched:
        held = [alert for alert in read_alerts(self._store, run) if alert["resolved"] is None]
        state = self._mine.state(run)
        watch = RunWatch(run, state, held, sensitivity=self._sensitivity)
        self._rulebook.hand_to(watch)
        watched = _Watched(watch, self._clock())
        self._watched[run] = watched
        return watched

    def _ask_for_stops(self, watch: RunWatch) -> None:
        """Before the alerts are stored: a watch that dies between asks again, never too seldom."""
        while watch.rules.stops:
            alert = watch.rules.stops[0]
            ask_to_stop(self._store, watch.run, f"rule {alert.rule}", alert.message)
            watch.rules.stops.pop(0)

    def _commit(self, run: str, watched: _Watched) -> None:
        if self._lease is None:
            return
        answer = self._mine.commit(
            self._lease, run, watched.watch.state(), watched.alerts, resolved=watched.over
        )
        if answer == "stored":
            for alert in watched.alerts:
                with about(run, alert.detected_step):
                    log.info("%s %s: %s", alert.severity, alert.kind, alert.message)
            watched.alerts, watched.over = [], {}
            watched.committed_s = self._clock()
            watched.unsaved = False
        elif answer == "deleted":
            del self._watched[run]
        else:
            self._forget()

    def _forget(self) -> None:
        self._lease = None
        self._next_sweep_s = 0.0
        self._pulses.clear()
        self._statuses.forget()
        self._lateness.forget()
        self._watched.clear()
        self._broken.clear()
