"""The one home of the detector: a loop under a lease, with state and alerts stored atomically."""

import logging
import os
import socket
import threading
import time
import uuid

from monitor.alerts.raising import lost_alert
from monitor.errors import StoreError, UnknownRunError
from monitor.store.connection import Store
from monitor.store.events import announce, newest_id, read_after
from monitor.store.runs import RunRecord, read_runs, run_ids
from monitor.store.watching import Lease, WatchStore
from monitor.types import Alert
from monitor.watch.run_watch import RunWatch
from trainer_hooks import keys

#: How often new rows are looked for, seconds.
TICK_S = 0.5
#: How often every run is looked at, seconds: trainers that went silent raise no event.
SWEEP_S = 5.0
#: State is stored at most this often unless there is an alert, seconds. What is fed again after a
#: crash raises nothing twice.
COMMIT_S = 5.0

log = logging.getLogger(__name__)


class Watch:
    """Watches all runs of the store while it holds the lease; many may stand by.

    Args:
        store: both Redis servers.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._mine = WatchStore(store, owner)
        self._stopping = threading.Event()
        self._leases: dict[int, Lease] = {}
        self._cursors: dict[int, str] = {}
        self._watches: dict[str, RunWatch] = {}
        self._committed_s: dict[str, float] = {}
        self._unsaved: set[str] = set()
        self._pending: dict[str, list[Alert]] = {}
        self._statuses: dict[str, str] = {}
        self._next_sweep_s = 0.0

    def run(self) -> None:
        """Watch until `stop`; an outage of Redis is waited out."""
        while not self._stopping.wait(TICK_S):
            try:
                self.tick()
            except StoreError as error:
                log.warning("the watch waits: %s", error)
            except Exception:
                # One run with strange data must not blind the watch for all others.
                log.exception("the watch stumbled and goes on")
        self._release()

    def stop(self) -> None:
        """End soon; the lease is given back."""
        self._stopping.set()

    def tick(self) -> None:
        """Look once at what is new."""
        for shard in range(keys.SHARDS):
            lease = self._mine.lease(shard)
            if lease is None or self._leases.get(shard) != lease:
                # Somebody else may have watched meanwhile: only what is stored counts.
                self._forget()
            if lease is None:
                self._leases.pop(shard, None)
                continue
            self._leases[shard] = lease
            runs = self._touched(shard)
            if time.monotonic() >= self._next_sweep_s:
                self._next_sweep_s = time.monotonic() + SWEEP_S
                runs |= self._sweep(lease)
            for run in runs:
                self._look(lease, run)

    def _touched(self, shard: int) -> set[str]:
        """Runs with new rows since the last look, and those that wait for a gap or a commit."""
        stream = keys.shard_events(shard)
        cursor = self._cursors.get(shard)
        if cursor is None:
            self._cursors[shard] = newest_id(self._store, stream)
            return set()
        events = read_after(self._store, stream, cursor)
        if events:
            self._cursors[shard] = events[-1].id
        waiting = {run for run, watch in self._watches.items() if watch.waiting}
        return {event.run for event in events if event.name == "points"} | waiting | self._unsaved

    def _sweep(self, lease: Lease) -> set[str]:
        """Announce changes of status; the runs that may have rows we missed."""
        records = read_runs(self._store, run_ids(self._store))
        for record in records:
            known = self._statuses.get(record.id)
            if known != record.status:
                self._statuses[record.id] = record.status
                self._announce(lease, record, first=known is None)
        gone = self._watches.keys() - {record.id for record in records}
        for run in gone:
            self._drop(run)
        return {record.id for record in records if record.status == "running"} | {
            record.id for record in records if record.id not in self._watches
        }

    def _announce(self, lease: Lease, record: RunRecord, *, first: bool) -> None:
        if not first:
            announce(self._store, record.id, "status", {"run": record.id, "status": record.status})
        if record.status == "lost":
            last_step = max(record.done_steps.values(), default=None)
            lost_at_s = self._store.now_s() - record.heartbeat_age_s
            alert = lost_alert(record.id, last_step, lost_at_s)
            self._pending.setdefault(record.id, []).append(alert)
            self._commit(lease, record.id)

    def _look(self, lease: Lease, run: str) -> None:
        try:
            alerts = self._watch(run).advance(self._store, time.monotonic())
        except UnknownRunError:
            self._drop(run)
            return
        self._pending.setdefault(run, []).extend(alerts)
        due = time.monotonic() - self._committed_s.get(run, 0.0) >= COMMIT_S
        if self._pending[run] or due:
            self._commit(lease, run)
        else:
            self._unsaved.add(run)

    def _commit(self, lease: Lease, run: str) -> None:
        alerts = self._pending.get(run, [])
        answer = self._mine.commit(lease, run, self._watch(run).state(), alerts)
        if answer == "stored":
            self._pending.pop(run, None)
            self._committed_s[run] = time.monotonic()
            self._unsaved.discard(run)
        else:
            self._drop(run)

    def _watch(self, run: str) -> RunWatch:
        if run not in self._watches:
            self._watches[run] = RunWatch(run, self._mine.state(run))
        return self._watches[run]

    def _drop(self, run: str) -> None:
        self._watches.pop(run, None)
        self._committed_s.pop(run, None)
        self._statuses.pop(run, None)
        self._pending.pop(run, None)
        self._unsaved.discard(run)

    def _forget(self) -> None:
        self._watches.clear()
        self._committed_s.clear()
        self._unsaved.clear()
        self._pending.clear()
        self._next_sweep_s = 0.0

    def _release(self) -> None:
        for lease in self._leases.values():
            try:
                for run in list(self._unsaved):
                    self._commit(lease, run)
                self._mine.release(lease)
            except StoreError as error:
                log.info("the lease runs out by itself: %s", error)
