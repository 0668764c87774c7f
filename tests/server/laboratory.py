"""A trainer that pushes by the real hooks, and a worker whose results the test chooses."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import trainer_hooks
from monitor.store.blocks import Block, Cell, Kind, Rows
from monitor.store.connection import Store
from monitor.store.jobs import Artifacts, Job, JobQueue
from monitor.store.watching import WatchStore
from monitor.types import Alert
from trainer_hooks import Run, keys
from trainer_hooks.wire import decode

#: Longest wait for a push to arrive, milliseconds; the hooks send four times a second.
WAIT_MS = 10_000
#: Samples of one batch.
BATCH = 4
#: When the rows of `weights` were pushed, Unix seconds, plus one for each step.
EPOCH_S = 1_795_300_000.0

Values = Sequence[float | Cell | None]


class Laboratory:
    """Makes runs.

    Args:
        store: both Redis servers.
        redis_url: of the durable one, for the hooks.
    """

    def __init__(self, store: Store, redis_url: str) -> None:
        self.store = store
        self._redis_url = redis_url
        self._queue = JobQueue(store, "laboratory")
        self._queue.ensure_groups()
        self._rows: dict[str, int] = {}
        self._runs: list[Run] = []

    def start(self, name: str, **options: Any) -> Run:
        """A run that is known to the store."""
        options = {"samples": BATCH, "samples_every": 1, **options}
        run = trainer_hooks.start(name, redis_url=self._redis_url, **options)
        self._runs.append(run)
        return run

    def weights(
        self,
        run: Run,
        values: Mapping[str, Values],
        *,
        steps: Sequence[int] | None = None,
        times: Sequence[float] | None = None,
    ) -> str:
        """Push once, and answer with a block of rows; the run's id.

        Args:
            run: from `start`.
            values: per metric one value, missing value or cell a row.
            steps: of the rows, default 1, 2, …; the epoch is half of it.
            times: of the pushes, Unix seconds, default EPOCH_S + step.
        """
        count = len(next(iter(values.values())))
        step = np.arange(1, count + 1) if steps is None else np.asarray(steps, np.int64)
        run.push_weights(int(step[-1]), scalars={"pushed": 0.0})
        job = self._next("fast")
        first = self._rows.get(job.segment, 0)
        self._rows[job.segment] = first + count
        seconds = np.asarray(EPOCH_S + step if times is None else times, np.float64)
        rows = Rows(np.arange(first, first + count), step, step / 2, seconds)
        assert self._queue.finish(job, _block(job, "weights", rows, values))
        return job.run

    def samples(
        self,
        run: Run,
        step: int,
        values: Mapping[str, Values],
        *,
        grid: bytes = b"",
        modes: Mapping[str, Any] | None = None,
        provenance: dict[str, Any] | None = None,
        scoring: dict[str, Any] | None = None,
    ) -> str:
        """Push a batch, and answer with one row; the run's id."""
        run.push_samples(step, np.zeros((BATCH, 3, 8, 8), np.uint8))
        parts = None
        while parts is None:
            job = self._next("samples")
            frame = self._queue.frame(job)
            assert frame is not None
            header = decode(frame).header
            parts = self._queue.keep_part(job, header["part"], b"", last=header["last"])
        rows = Rows.one(job.row, step, step / 2, EPOCH_S + step)
        histogram = json.dumps(modes).encode() if modes else b""
        artifacts = Artifacts(grid, histogram, provenance, scoring)
        block = _block(job, "samples", rows, values)
        assert self._queue.finish(job, block, artifacts=artifacts)
        return job.run

    def arrived(self, run: Run, step: int) -> None:
        """Push, and leave the job where it is."""
        waiting = self.store.data.xlen(keys.jobs(0, "fast"))
        run.push_weights(step, scalars={"pushed": 0.0})
        give_up_s = time.monotonic() + WAIT_MS / 1000
        while self.store.data.xlen(keys.jobs(0, "fast")) == waiting:
            assert time.monotonic() < give_up_s, "the push did not arrive"
            time.sleep(0.02)

    def watched(
        self,
        run: str,
        summary: dict[str, Any],
        alerts: Sequence[Alert] = (),
        *,
        over: Sequence[Alert] = (),
    ) -> None:
        """Store what the watch would: the detector's summary, alerts, and those that are over."""
        watch = WatchStore(self.store, "laboratory")
        lease = watch.lease(keys.shard_of(run))
        assert lease is not None
        resolved = {each.id: each.time + 5 for each in over}
        state = {"summary": summary}
        assert watch.commit(lease, run, state, alerts, resolved=resolved) == "stored"

    def crash(self, run: Run, silence_s: float) -> None:
        """End a run as if its process had been killed so long ago."""
        run.finish()
        self.store.data.hdel(keys.meta(run.id), "finished")
        self.store.data.hset(keys.meta(run.id), "heartbeat", self.store.now_s() - silence_s)

    def close(self) -> None:
        """End all runs."""
        for run in self._runs:
            run.finish()

    def _next(self, lane: keys.Lane) -> Job:
        job = self._queue.next(lane, WAIT_MS)
        assert job is not None, "the push did not arrive"
        return job


def alert(run: str, kind: str, step: int, *, severity: Any = "warning") -> Alert:
    """An alert as the watch raises it."""
    return Alert(
        id=f"{kind}-{step}",
        run=run,
        kind=kind,
        step=step,
        detected_step=step + 2,
        metrics=("D",),
        severity=severity,
        message=f"D fell at step {step}.",
        time=EPOCH_S + step,
    )


def _block(job: Job, kind: Kind, rows: Rows, values: Mapping[str, Values]) -> Block:
    block = Block(job.run, job.segment, kind, rows)
    for metric, column in values.items():
        for row, value in enumerate(column):
            block.add(metric, _cell(row, value))
    return block


def _cell(row: int, value: float | Cell | None) -> Cell:
    if isinstance(value, Cell):
        return value
    if value is None:
        return Cell(row, None, status="failed", reason="chosen by the test")
    return Cell(row, value)
