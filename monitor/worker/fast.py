"""The fast lane: S from snapshots, scalars as sent. Needs no torch."""

import time
from typing import Any

from monitor.store.blocks import Kind
from monitor.store.jobs import Job, JobQueue
from monitor.worker.angles import weights_block
from monitor.worker.shards import parts_of, settle
from monitor.worker.stopwatch import Stopwatch
from monitor.worker.weight_frames import weights_frame
from trainer_hooks.errors import WireError
from trainer_hooks.keys import SHARDS, Lane
from trainer_hooks.wire import Frame

#: Points that wait for parts are looked at this often, seconds: far less than they wait.
SWEEP_S = 2.0


class FastLane:
    """Handles weights frames."""

    lane: Lane = "fast"
    kind: Kind = "weights"

    def __init__(self) -> None:
        self.stopwatch = Stopwatch()
        self._next_sweep_s = 0.0

    def wanted(self, queue: JobQueue, job: Job) -> bool:
        """Always: the fast lane skips nothing."""
        return True

    def handle(self, queue: JobQueue, job: Job, frame: Frame) -> None:
        """Compute every angle of the frame and store it with the scalars."""
        content = weights_frame(frame)
        if content.rows.seq.max() != job.row:
            raise WireError(f"the frame ends at row {content.rows.seq.max()}, its job at {job.row}")
        with self.stopwatch.timing("S"):
            parts = parts_of(job, content)
            block = None if job.member else weights_block(job.run, job.segment, content)
        if block is None:
            queue.keep_shards(job, parts)
        else:
            queue.finish(job, block, parts=parts)
        # Whoever dies here leaves it to the sweep.
        settle(queue.parts, queue.parts.complete(parts))

    def tend(self, queue: JobQueue) -> None:
        """Fail the points whose missing parts were waited for long enough."""
        if time.monotonic() < self._next_sweep_s:
            return
        self._next_sweep_s = time.monotonic() + min(SWEEP_S, queue.parts.wait_s)
        for shard in range(SHARDS):
            settle(queue.parts, queue.parts.overdue(shard), overdue=True)

    def lost(self) -> str:
        """Never: nothing foreign is called."""
        return ""

    def metrics(self, queue: JobQueue, job: Job) -> list[str]:
        """S of every network that the run pushes."""
        return [f"S.{name}" for name in queue.networks(job)]

    def said(self) -> dict[str, Any]:
        """Nothing beside what every worker says."""
        return {}
