"""Lateness: pushes that wait for a worker for too long, by our own clock."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from monitor.alerts.raising import behind_alert
from monitor.logs import about
from monitor.store.blocks import KINDS, Kind
from monitor.store.connection import Store
from monitor.store.lag import queued_jobs
from monitor.store.pulses import Pulse
from monitor.store.watching import Lease, WatchStore
from monitor.store.workers import alive_workers
from monitor.watch.statuses import LONGEST_PAUSE_S, open_of_kinds

#: Pushes that wait longer than this make an alert, seconds. A batch of 2000 images takes half a
#: minute on one CPU core; a slow evaluator some minutes.
BEHIND_S = 180.0
#: A worker has caught up when nothing waited longer than this, seconds, ...
CLOSE_S = 60.0
#: ... for so long, seconds. More than CLOSE_S: a watch that has just begun knows of no older push.
CALM_S = 90.0


log = logging.getLogger(__name__)

#: Sights kept of a run and kind; beyond, every second goes, so that the oldest stays exact.
MOST_SEEN = 64


@dataclass(slots=True)
class _Run:
    """What is known of a running run.

    Attributes:
        segment: the trainer process that pushes.
        seen: per kind when the newest push was which, oldest first; those that are done are gone.
        alert: id of the open alert, or "".
        calm_s: since when nothing waits for long; None while something does.
    """

    segment: str
    alert: str
    seen: dict[Kind, list[tuple[float, int]]] = field(
        default_factory=lambda: {kind: [] for kind in KINDS}
    )
    calm_s: float | None = None

    def wait_s(self, pulse: Pulse, now_s: float) -> tuple[float, Kind]:
        """How long the oldest push waits, and of which kind it is."""
        waits: list[tuple[float, Kind]] = []
        for kind, seen in self.seen.items():
            pushed, done = pulse.pushed.get(kind, 0), pulse.done.get(kind, 0)
            if not seen or seen[-1][1] < pushed:
                seen.append((now_s, pushed))
            while seen and seen[0][1] <= done:
                seen.pop(0)
            if len(seen) > MOST_SEEN:
                del seen[1::2]
            waits.append((now_s - seen[0][0] if seen else 0.0, kind))
        return max(waits)


class Lateness:
    """Raises `worker_behind` once for each stretch, and ends it when the worker has caught up.

    The trainer's clock may be wrong, and Redis tells only how many pushes there are: a push is as
    old as our first sight of it.

    Args:
        store: both Redis servers.
        mine: where alerts are stored.
        clock: seconds that only go forward.
    """

    def __init__(self, store: Store, mine: WatchStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._mine = mine
        self._clock = clock
        self._runs: dict[str, _Run] = {}
        self._looked_s = float("-inf")

    def tell(self, lease: Lease, pulses: Iterable[Pulse]) -> None:
        """Tell of workers that fell behind or caught up; all runs, every few seconds."""
        now_s = self._clock()
        if now_s - self._looked_s > LONGEST_PAUSE_S:
            self.forget()  # While Redis was away no worker could do anything.
        self._looked_s = now_s
        before, self._runs = self._runs, {}
        for pulse in pulses:
            if pulse.status != "running":
                continue  # What still waits is late for nobody; `Statuses` ends the alert.
            run = before.get(pulse.run)
            if run is None or run.segment != pulse.segment:
                known = open_of_kinds(self._store, pulse.run, ["worker_behind"])
                run = _Run(pulse.segment, known[-1] if known else "")
            self._judge(lease, pulse, run, now_s)
            self._runs[pulse.run] = run

    def forget(self) -> None:
        """Another may have told meanwhile."""
        self._runs.clear()

    def _judge(self, lease: Lease, pulse: Pulse, run: _Run, now_s: float) -> None:
        waited_s, kind = run.wait_s(pulse, now_s)
        if waited_s > CLOSE_S:
            run.calm_s = None
        elif run.calm_s is None:
            run.calm_s = now_s
        if not run.alert and waited_s >= BEHIND_S and self._has_work(kind):
            self._raise(lease, pulse, run, kind, waited_s)
        elif run.alert and run.calm_s is not None and now_s - run.calm_s >= CALM_S:
            self._end(lease, pulse, run)

    def _has_work(self, kind: Kind) -> bool:
        """Whether jobs wait: what a trainer dropped half of is late, but no worker's fault."""
        return queued_jobs(self._store)["samples" if kind == "samples" else "fast"] > 0

    def _raise(self, lease: Lease, pulse: Pulse, run: _Run, kind: Kind, waited_s: float) -> None:
        now_s, workers = self._store.now_s(), len(alive_workers(self._store))
        alert = behind_alert(
            pulse.run, pulse.last_step, kind, now_s - waited_s, now_s, workers=workers
        )
        if self._mine.commit(lease, pulse.run, None, [alert]) == "stored":
            run.alert = alert.id
            with about(pulse.run, pulse.last_step):
                log.info("%s %s: %s", alert.severity, alert.kind, alert.message)

    def _end(self, lease: Lease, pulse: Pulse, run: _Run) -> None:
        over = {run.alert: self._store.now_s()}
        if self._mine.commit(lease, pulse.run, None, resolved=over) == "stored":
            run.alert = ""
