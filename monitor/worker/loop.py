"""The worker's loop over one lane: read, evaluate, store, acknowledge; claims are kept meanwhile.

A worker is two processes, one a lane: in one process the samples lane's Python would hold the
interpreter lock, and S and the losses, thousands of tiny operations, would crawl behind it.
"""

import logging
import os
import threading
import uuid
from typing import Any, Protocol

from monitor.errors import StoreError
from monitor.logs import about
from monitor.store import workers
from monitor.store.blocks import Block, Cell, Kind
from monitor.store.connection import Store
from monitor.store.jobs import CLAIM_TIMEOUT_MS, MOST_DELIVERIES, MOST_FAILURES, Job, JobQueue
from monitor.store.weight_parts import WAIT_S
from monitor.worker.report import Report
from monitor.worker.stopwatch import Stopwatch
from trainer_hooks.errors import WireError, message_of
from trainer_hooks.keys import Lane
from trainer_hooks.wire import Frame, decode

#: Longest wait for a job before the worker looks around, milliseconds.
WAIT_MS = 1000
#: Claims are renewed and the heartbeat sent this often, seconds.
BEAT_S = 4.0
#: Wait after Redis was away, seconds.
AWAY_S = 1.0
#: Longest wait for the job at hand when told to stop, seconds.
LEAVE_S = 0.5

log = logging.getLogger(__name__)


class Handler(Protocol):
    """What is done with the jobs of a lane."""

    lane: Lane
    kind: Kind
    stopwatch: Stopwatch

    def wanted(self, queue: JobQueue, job: Job) -> bool:
        """Whether the job is still worth doing; one that is not was finished here."""

    def handle(self, queue: JobQueue, job: Job, frame: Frame) -> None:
        """Evaluate the frame and finish the job.

        Raises:
            WireError: the frame's content is malformed.
        """

    def tend(self, queue: JobQueue) -> None:
        """Between two jobs: what only time brings about."""

    def lost(self) -> str:
        """Why the job at hand will never end, "" while there is hope; from another thread."""

    def metrics(self, queue: JobQueue, job: Job) -> list[str]:
        """Metrics that have no value when the job is lost."""

    def said(self) -> dict[str, Any]:
        """What the heartbeat tells."""


class Worker:
    """One process that works on one lane, beats, and keeps its claim while it works.

    Args:
        store: both Redis servers.
        handler: what is done with jobs.
        claim_timeout_ms: age at which a dead worker's job is taken over.
        part_wait_s: for the missing shards of a point, see `monitor.store.weight_parts`.
    """

    def __init__(
        self,
        store: Store,
        handler: Handler,
        *,
        claim_timeout_ms: int = CLAIM_TIMEOUT_MS,
        part_wait_s: float = WAIT_S,
    ) -> None:
        self.id = f"{workers.name_of(os.getpid())}{uuid.uuid4().hex[:6]}:{handler.lane}"
        self._store = store
        self._handler = handler
        self._queue = JobQueue(
            store, self.id, claim_timeout_ms=claim_timeout_ms, part_wait_s=part_wait_s
        )
        self._stopping = threading.Event()
        self._current: Job | None = None
        self._report = Report(handler.lane, handler.kind)
        self._broken = False
        self._done = 0

    def run(self) -> bool:
        """Work until `stop`; the calling thread beats and renews.

        Returns:
            False if only a new process can go on: the job at hand hangs for ever and was given up,
            or this process has lost its GPU.
        """
        self._beat()
        thread = threading.Thread(target=self._work_on, name=self._handler.lane, daemon=True)
        thread.start()
        while not self._stopping.wait(BEAT_S):
            self._beat()
            if self._broken or self._hangs():
                return False
        # A chunk takes seconds on a CPU; what is not finished is redone by the next worker.
        thread.join(WAIT_MS / 1000 + LEAVE_S)
        try:
            self._handler.stopwatch.tell(self._store)
            workers.leave(self._store, self.id)
        except StoreError as error:
            log.info("could not say goodbye: %s", error)
        return True

    def stop(self) -> None:
        """Finish the job at hand if that is quick, then end."""
        self._stopping.set()

    def step(self, wait_ms: int = WAIT_MS) -> bool:
        """Work on one job if one comes within `wait_ms`; whether there was one."""
        self._handler.tend(self._queue)
        job = self._queue.next(self._handler.lane, wait_ms)
        if job is None:
            return False
        self._current = job
        try:
            with about(job.run, job.step):
                self._work(job)
            self._done += 1
            self._report.worked(job.run)
        finally:
            self._current = None
        return True

    def ready(self) -> None:
        """Make sure that the lanes exist, and that trainers know where frames go."""
        self._store.tell_blob_url()
        self._queue.ensure_groups()

    def _work_on(self) -> None:
        ready = False
        while not (self._stopping.is_set() or self._broken):
            try:
                if not ready:
                    self.ready()
                    ready = True
                self.step()
            except StoreError as error:
                log.warning("lane %s waits: %s", self._handler.lane, error)
                ready = False
                self._stopping.wait(AWAY_S)
            except Exception:
                # A lane that died while its process beats would be taken for a living one.
                log.exception("lane %s stumbled and goes on", self._handler.lane)
                self._stopping.wait(AWAY_S)

    def _beat(self) -> None:
        try:
            job = self._current
            if job is not None:
                self._queue.renew(job)
            said = {"lane": self._handler.lane, "jobs": self._done, **self._handler.said()}
            workers.beat(self._store, self.id, said)
            self._handler.stopwatch.tell(self._store)
            self._report.tend(self._store, said)
        except StoreError as error:
            log.warning("heartbeat waits: %s", error)

    def _hangs(self) -> bool:
        """Give up a job that will never end; whether there was one. Nobody else tries it again."""
        job = self._current
        reason = self._handler.lost()
        if job is None or not reason or self._current is not job:
            return False
        try:
            self._give_up(job, reason)
        except StoreError as error:
            log.warning("a hanging job cannot be given up yet: %s", error)
            return False
        log.error("lane %s ends: only a new process can go on", self._handler.lane)
        return True

    def _work(self, job: Job) -> None:
        if job.deliveries > MOST_DELIVERIES:
            self._give_up(job, f"it was taken {job.deliveries - 1} times and never finished")
            return
        try:
            self._process(job)
        except StoreError:
            raise
        except WireError as error:
            self._give_up(job, message_of(error))
        except Exception as error:
            log.exception("job %s failed", job.id)
            if self._queue.failed(job) >= MOST_FAILURES:
                self._give_up(job, f"failed {MOST_FAILURES} times: {message_of(error)}")
            if _has_lost_gpu(error):
                log.error("lane %s ends: its process has lost the GPU", self._handler.lane)
                self._broken = True

    def _process(self, job: Job) -> None:
        if not self._handler.wanted(self._queue, job):
            return
        data = self._queue.frame(job)
        if data is None:
            self._miss(job)
            return
        frame = decode(data)
        header = frame.header
        if (header.get("run"), header.get("segment")) != (job.run, job.segment):
            raise WireError("the frame belongs to another run than its job")
        if frame.kind != self._handler.kind:
            raise WireError(f"a frame of kind {frame.kind} lies in the lane {job.lane}")
        self._handler.handle(self._queue, job, frame)

    def _miss(self, job: Job) -> None:
        """A job without its frame: one of two for the same push, or really lost."""
        if self._queue.stored(job):
            self._queue.dismiss(job)
        else:
            self._fail(job, "its data was lost: the Redis for frames was restarted or is full")

    def _give_up(self, job: Job, reason: str) -> None:
        log.error("job %s is given up: %s", job.id, reason)
        self._fail(job, reason, dead=reason)

    def _fail(self, job: Job, reason: str, *, dead: str = "") -> None:
        lost = {"worker_lost_frames": 1}
        if job.member:
            # Its points belong to rank 0's rows, and fail there for want of their parts.
            self._queue.keep_shards(job, (), counts=lost, dead=dead)
            return
        block = Block(job.run, job.segment, self._handler.kind, job.last_row())
        for metric in self._handler.metrics(self._queue, job):
            block.add(metric, Cell(0, None, status="failed", reason=reason))
        self._queue.finish(job, block, counts=lost, dead=dead)


def _has_lost_gpu(error: Exception) -> bool:
    """Whether every later call on the GPU fails too: most of CUDA's errors stay with a process."""
    told = str(error)
    return "CUDA error" in told and "out of memory" not in told
