"""What a worker logs with ``--verbose``: how much waits, how far it is behind, how fast it is."""

import logging
import time
from typing import Any

from monitor.store.blocks import Kind
from monitor.store.connection import Store
from monitor.store.lag import behind, queued_jobs
from monitor.store.runs import read_runs
from trainer_hooks.keys import Lane

#: Between two lines, seconds.
EVERY_S = 60.0

log = logging.getLogger(__name__)


class Report:
    """Lines about one lane and the runs that it worked for since the last.

    Args:
        lane, kind: what the worker works on.
    """

    def __init__(self, lane: Lane, kind: Kind) -> None:
        self._lane, self._kind = lane, kind
        self._runs: set[str] = set()
        self._next_s = time.monotonic() + EVERY_S

    def worked(self, run: str) -> None:
        """Note that there was a job of this run."""
        self._runs.add(run)

    def tend(self, store: Store, said: dict[str, Any]) -> None:
        """Log a line if one is due, somebody reads it and there was work.

        Args:
            store: both Redis servers.
            said: what the worker's heartbeat tells.

        Raises:
            StoreUnavailableError: Redis is away.
        """
        if time.monotonic() < self._next_s or not log.isEnabledFor(logging.INFO):
            return
        self._next_s = time.monotonic() + EVERY_S
        runs, self._runs = self._runs, set()
        if runs:
            log.info("%s", self.line(store, runs, said))

    def line(self, store: Store, runs: set[str], said: dict[str, Any]) -> str:
        """One line; of the runs the one that is the most seconds behind."""
        now_s, waiting = store.now_s(), queued_jobs(store)[self._lane]
        found = [(behind(record, self._kind, now_s), record) for record in read_runs(store, runs)]
        parts = [f"lane {self._lane}: {waiting} jobs wait"]
        if found:
            (steps, seconds), record = max(found, key=lambda each: each[0][1])
            skipped = sum(each.drops.get("worker_skipped_chunks", 0) for _, each in found)
            parts.append(f"run {record.id!r} is {steps} steps ({seconds:.1f} s) behind")
            parts.append(f"{skipped} chunks skipped")
        if rate := said.get("images_per_s"):
            parts.append(f"{rate} images/s")
        return ", ".join(parts)
