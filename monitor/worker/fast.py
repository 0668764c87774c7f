"""The fast lane: S from snapshots, scalars as sent. Needs no torch."""

from typing import Any

from monitor.store.blocks import Kind
from monitor.store.jobs import Job, JobQueue
from monitor.worker.angles import weights_block
from monitor.worker.frames import weights_frame
from trainer_hooks.errors import WireError
from trainer_hooks.keys import Lane
from trainer_hooks.wire import Frame


class FastLane:
    """Handles weights frames."""

    lane: Lane = "fast"
    kind: Kind = "weights"

    def wanted(self, queue: JobQueue, job: Job) -> bool:
        """Always: the fast lane skips nothing."""
        return True

    def handle(self, queue: JobQueue, job: Job, frame: Frame) -> None:
        """Compute every angle of the frame and store it with the scalars."""
        content = weights_frame(frame)
        if content.rows.seq.max() != job.row:
            raise WireError(f"the frame ends at row {content.rows.seq.max()}, its job at {job.row}")
        queue.finish(job, weights_block(job.run, job.segment, content))

    def metrics(self, queue: JobQueue, job: Job) -> list[str]:
        """S of every network that the run pushes."""
        return [f"S.{name}" for name in queue.networks(job)]

    def said(self) -> dict[str, Any]:
        """Nothing beside what every worker says."""
        return {}
