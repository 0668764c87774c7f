"""Jobs: claimed from a stream, worked on, finished once. Any number of workers share them."""

import json
from collections.abc import Sequence
from typing import Any

from monitor.store import columns, scripts
from monitor.store.blocks import Block
from monitor.store.claims import CLAIM_TIMEOUT_MS, MOST_DEAD_LETTERS, MOST_DELIVERIES, Claims
from monitor.store.connection import Store, reachable, text
from monitor.store.finish import (
    NO_ARTIFACTS,
    NO_BATCH,
    Artifacts,
    payload_of,
    result_keys,
    writes_of,
)
from monitor.store.job import Job
from monitor.store.segments import ordinal_of
from monitor.store.weight_parts import WAIT_S, WeightPart, WeightParts
from trainer_hooks import keys

#: Failures after which a job is given up.
MOST_FAILURES = 3
#: Partial results of a batch whose rest never came, seconds.
PARTS_TTL_S = 24 * 3600

__all__ = [
    "CLAIM_TIMEOUT_MS",
    "MOST_DEAD_LETTERS",
    "MOST_DELIVERIES",
    "MOST_FAILURES",
    "Artifacts",
    "Job",
    "JobQueue",
]


class JobQueue(Claims):
    """The jobs of one worker: claimed, looked into, and finished or given up.

    Args:
        store: both Redis servers.
        consumer: name of this worker in the group; unique.
        claim_timeout_ms: age at which another worker's claim is taken over.
        part_wait_s: for the missing shards of a point.

    Attributes:
        parts: of points whose network is spread over ranks.
    """

    def __init__(
        self,
        store: Store,
        consumer: str,
        *,
        claim_timeout_ms: int = CLAIM_TIMEOUT_MS,
        part_wait_s: float = WAIT_S,
    ) -> None:
        super().__init__(store, consumer, claim_timeout_ms=claim_timeout_ms)
        self.parts = WeightParts(store, part_wait_s)
        self._finish = store.data.register_script(scripts.FINISH)
        self._keep_part = store.data.register_script(scripts.KEEP_PART)
        self._keep_shards = store.data.register_script(scripts.KEEP_SHARDS)
        self._fail = store.data.register_script(scripts.FAIL)
        self._retire = store.data.register_script(scripts.RETIRE)
        self._release = store.blobs.register_script(scripts.RELEASE)

    def frame(self, job: Job) -> bytes | None:
        """Bytes of the job's frame; None if the volatile Redis lost it."""
        with reachable(self._store.blob_url):
            data = self._store.blobs.get(keys.blob(job.run, job.blob))
        assert data is None or isinstance(data, bytes)
        return data

    def newest_batch(self, job: Job) -> int:
        """Number of the newest sample batch its run has pushed."""
        with reachable(self._store.redis_url):
            told: Any = self._store.data.hmget(keys.meta(job.run), ["pushed:samples", "segment"])
        newest, current = told
        if newest is None or current is None or text(current) != job.segment:
            return job.row
        return int(newest)

    def config(self, job: Job) -> dict[str, Any]:
        """What its run was started with, as far as it is known."""
        with reachable(self._store.redis_url):
            told = self._store.data.hget(keys.meta(job.run), "config")
        return dict(json.loads(told)) if isinstance(told, bytes) else {}

    def networks(self, job: Job) -> list[str]:
        """Names of the networks that its run pushes, as far as they are known."""
        with reachable(self._store.redis_url):
            told = self._store.data.hget(keys.meta(job.run), "networks")
        return list(json.loads(told)) if isinstance(told, bytes) else []

    def stored(self, job: Job) -> bool:
        """Whether its result is there already: a push whose answer was lost is sent twice."""
        if job.member:
            with reachable(self._store.redis_url):
                told = self._store.data.hget(keys.rows(job.run), f"{job.segment}:{job.kind}")
            return isinstance(told, bytes) and job.row < int(told)
        chunk, row = divmod(job.row, columns.ROWS_PER_CHUNK)
        key = keys.column(job.run, job.segment, job.kind, chunk, columns.STEP)
        first = row * columns.WORD_BYTES
        with reachable(self._store.redis_url):
            word: Any = self._store.data.getrange(key, first, first + columns.WORD_BYTES - 1)
            if any(word):
                return True
            return bool(
                self._store.data.hexists(keys.parts(job.run, job.segment, job.row), job.part)
            )

    def failed(self, job: Job) -> int:
        """Count a failure of the job; how many there were. The job stays claimed."""
        with reachable(self._store.redis_url):
            return int(self._fail(keys=self._job_keys(job), args=self._claim_of(job)))

    def dismiss(self, job: Job) -> None:
        """End a job that has nothing more to add: give its bytes back to the run's budget."""
        run_keys = [
            keys.outstanding(job.run),
            keys.outstanding_bytes(job.run),
            keys.blob(job.run, job.blob),
        ]
        with reachable(self._store.blob_url):
            self._release(keys=run_keys, args=[f"{job.blob}|{job.nbytes}"])
        with reachable(self._store.redis_url):
            self._retire(keys=self._job_keys(job), args=self._claim_of(job))

    def keep_part(self, job: Job, part: int, result: bytes, *, last: bool) -> list[bytes] | None:
        """Store a partial result; all of them if this was the last missing one, else None.

        With None the job is done; otherwise it is still claimed and must be finished.
        """
        with reachable(self._store.redis_url):
            answer = self._keep_part(
                keys=[
                    *self._job_keys(job),
                    keys.segments(job.run),
                    keys.parts(job.run, job.segment, job.row),
                ],
                args=[*self._claim_of(job), job.segment, part, result, int(last), PARTS_TTL_S],
            )
        if answer[0] == b"complete":
            return list(answer[1:])
        if answer[0] != b"unclaimed":
            self.dismiss(job)
        return None

    def finish(
        self,
        job: Job,
        block: Block,
        *,
        artifacts: Artifacts = NO_ARTIFACTS,
        parts: Sequence[WeightPart] = (),
        counts: dict[str, int] | None = None,
        dead: str = "",
    ) -> bool:
        """Store the block once and end the job; False if the claim or the run is gone.

        Args:
            job: the job whose claim this worker holds.
            block: its points.
            artifacts: of a sample batch.
            parts: what it brings of points whose network is spread over ranks.
            counts: counters of the run to raise.
            dead: why the job is given up, if it is.
        """
        writes = list(writes_of(block))
        payload = payload_of(
            block,
            ordinal_of(self._store, job.run, job.segment),
            writes,
            now_s=self._store.now_s(),
            counts=counts or {},
            dead=dead,
            artifacts=artifacts,
            parts=self.parts.told(parts),
        )
        batch = job.row if job.kind == "samples" else NO_BATCH
        with reachable(self._store.redis_url):
            answer = self._finish(
                keys=[
                    *self._job_keys(job),
                    *result_keys(job.run, job.segment, batch),
                    *(write.key for write in writes),
                    *self.parts.keys_of(job, parts),
                ],
                args=[
                    *self._claim_of(job),
                    payload,
                    artifacts.grid,
                    artifacts.modes,
                    *(write.data for write in writes),
                ],
            )
        if answer != b"unclaimed":
            self.dismiss(job)
        return bool(answer == b"done")

    def keep_shards(
        self,
        job: Job,
        parts: Sequence[WeightPart],
        *,
        counts: dict[str, int] | None = None,
        dead: str = "",
    ) -> None:
        """Keep what a member brought and end its job; see `finish`."""
        payload = {
            **self.parts.told(parts),
            "run": job.run,
            "owner": job.owner,
            "member": job.segment,
            "rows": job.row + 1,
            "counts": counts or {},
            "dead": dead,
            "most_dead": MOST_DEAD_LETTERS,
        }
        run, letters = job.run, keys.dead_letters(job.shard)
        with reachable(self._store.redis_url):
            answer = self._keep_shards(
                keys=[
                    *self._job_keys(job),
                    keys.segments(run),
                    keys.rows(run),
                    letters,
                    keys.counters(job.shard),
                    *self.parts.keys_of(job, parts),
                ],
                args=[*self._claim_of(job), json.dumps(payload)],
            )
        if answer != b"unclaimed":
            self.dismiss(job)

    def _claim_of(self, job: Job) -> list[str]:
        return [keys.GROUP, self._consumer, job.id]

    def _job_keys(self, job: Job) -> list[str]:
        return [keys.jobs(job.shard, job.lane), keys.failures(job.shard)]
