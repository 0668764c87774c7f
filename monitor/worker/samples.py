"""The samples lane: Q and D of batches, chunk by chunk, the newest batches first."""

import time
from typing import Any

from monitor.store.blocks import Block, Kind
from monitor.store.jobs import Artifacts, Job, JobQueue
from monitor.worker.batch import add_points
from monitor.worker.chosen import chosen_by
from monitor.worker.memory import give_back
from monitor.worker.partial import Partial
from monitor.worker.pipeline import Evaluators, evaluate_chunk
from monitor.worker.sample_frames import samples_frame
from monitor.worker.stopwatch import Stopwatch
from trainer_hooks.errors import WireError
from trainer_hooks.keys import Lane
from trainer_hooks.wire import Frame

#: A batch this many behind its run's newest is skipped (design: newest first, without a queue).
KEEP_BATCHES = 2
#: Weight of the newest chunk in the moving average of the rate.
RATE_WEIGHT = 0.3


class SamplesLane:
    """Handles samples frames.

    Args:
        evaluators: what they are evaluated with.
    """

    lane: Lane = "samples"
    kind: Kind = "samples"

    def __init__(self, evaluators: Evaluators) -> None:
        self.stopwatch = Stopwatch()
        self._evaluators = evaluators
        self._images_per_s = 0.0

    def wanted(self, queue: JobQueue, job: Job) -> bool:
        """False for a batch that newer ones have overtaken: its row is stored without points."""
        if job.row >= queue.newest_batch(job) - KEEP_BATCHES:
            return True
        block = Block(job.run, job.segment, "samples", job.last_row())
        queue.finish(job, block, counts={"worker_skipped_chunks": 1})
        return False

    def handle(self, queue: JobQueue, job: Job, frame: Frame) -> None:
        """Evaluate the chunk; whoever brings the last missing one stores the batch's points."""
        chunk = samples_frame(frame)
        if chunk.rows.seq[0] != job.row:
            raise WireError(f"the frame of batch {chunk.rows.seq[0]} lies in the job of {job.row}")
        chosen = chosen_by(queue.config(job))
        started = time.perf_counter()
        partial = evaluate_chunk(chunk, self._evaluators, chosen, self.stopwatch.timing)
        self._measure(partial.n, time.perf_counter() - started)
        give_back()
        parts = queue.keep_part(job, chunk.part, partial.encode(), last=chunk.last)
        if parts is None:
            return
        batch = sum(map(Partial.decode, parts), Partial())
        block = Block(job.run, job.segment, "samples", chunk.rows)
        modes = add_points(block, batch, self._evaluators, chosen, self.stopwatch.timing)
        provenance = self._evaluators.provenance() if modes or batch.features else None
        scoring = self._evaluators.scoring() if batch.scored_with else None
        grid = bytes.fromhex(batch.grid)
        queue.finish(job, block, artifacts=Artifacts(grid, modes, provenance, scoring))

    def tend(self, queue: JobQueue) -> None:
        """Nothing: batches wait for nobody."""

    def lost(self) -> str:
        """Why the chunk at hand will never be evaluated."""
        return self._evaluators.patience.lost()

    def metrics(self, queue: JobQueue, job: Job) -> list[str]:
        """Those that the run chose."""
        return chosen_by(queue.config(job)).metrics()

    def said(self) -> dict[str, Any]:
        """What samples are evaluated with and how fast."""
        known = self._evaluators
        return {
            "device": known.device,
            "quality": known.quality.name if known.quality else "",
            "embedder": known.embedder.name if known.embedder else "",
            "reference": known.reference.name if known.reference else "",
            "provider": known.embedder.provider if known.embedder else "",
            "images_per_s": f"{self._images_per_s:.1f}",
        }

    def _measure(self, images: int, seconds: float) -> None:
        if images:
            rate = images / max(seconds, 1e-9)
            known = self._images_per_s or rate
            self._images_per_s = known + RATE_WEIGHT * (rate - known)
