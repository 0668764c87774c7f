"""Jobs: claimed from a stream, worked on, finished once. Any number of workers share them."""

import json
from dataclasses import dataclass
from typing import Any

import redis

from monitor.errors import StoreError
from monitor.store import scripts
from monitor.store.blocks import Block, Rows
from monitor.store.connection import Store, reachable, text
from monitor.store.finish import payload_of, writes_of
from trainer_hooks import keys

#: A claim that was not renewed for this long belongs to a dead worker, milliseconds.
CLAIM_TIMEOUT_MS = 30_000
#: Failures after which a job is given up.
MOST_FAILURES = 3
#: Deliveries after which a job is given up that never failed: it kills its workers.
MOST_DELIVERIES = 10
#: Partial results of a batch whose rest never came, seconds.
PARTS_TTL_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Job:
    """A frame to evaluate.

    Attributes:
        id: in its stream.
        lane: of the stream.
        deliveries: how often it was handed to a worker, this one included.
        run, segment, kind: whose it is.
        blob: name of its frame on the volatile Redis; `nbytes`: its size.
        row, step, time: of the last push in it.
    """

    id: str
    lane: keys.Lane
    shard: int
    deliveries: int
    run: str
    segment: str
    kind: str
    blob: str
    nbytes: int
    row: int
    step: int
    time: float

    def last_row(self) -> Rows:
        """The row of its last push: where a failure of the whole job is noted."""
        return Rows.one(self.row, self.step, None, self.time)


@dataclass(frozen=True, slots=True)
class Artifacts:
    """What a finished sample batch leaves beside its points.

    Attributes:
        grid: encoded image grid.
        modes: JSON of the mode histogram.
        provenance: embedder and reference that made D, or None.
    """

    grid: bytes = b""
    modes: bytes = b""
    provenance: dict[str, Any] | None = None


NO_ARTIFACTS = Artifacts()


class JobQueue:
    """The jobs of one worker.

    Args:
        store: both Redis servers.
        consumer: name of this worker's thread in the group; unique.
        claim_timeout_ms: age at which another worker's claim is taken over.
    """

    def __init__(
        self, store: Store, consumer: str, *, claim_timeout_ms: int = CLAIM_TIMEOUT_MS
    ) -> None:
        self._store = store
        self._consumer = consumer
        self._claim_timeout_ms = claim_timeout_ms
        self._finish = store.data.register_script(scripts.FINISH)
        self._keep_part = store.data.register_script(scripts.KEEP_PART)
        self._release = store.blobs.register_script(scripts.RELEASE)

    def ensure_groups(self) -> None:
        """Create streams and groups that do not exist yet."""
        for shard in range(keys.SHARDS):
            for lane in keys.LANES:
                with reachable(self._store.redis_url):
                    self._create_group(keys.jobs(shard, lane))

    def next(self, lane: keys.Lane, wait_ms: int) -> Job | None:
        """A job left by a dead worker, else a new one, else None after `wait_ms`."""
        with reachable(self._store.redis_url):
            for shard in range(keys.SHARDS):
                job = self._reclaim(shard, lane) or self._read(shard, lane, wait_ms)
                if job is not None:
                    return job
        return None

    def renew(self, job: Job) -> None:
        """Keep the claim: slowness is not failure."""
        stream = keys.jobs(job.shard, job.lane)
        with reachable(self._store.redis_url):
            self._store.data.xclaim(
                stream, keys.GROUP, self._consumer, 0, [job.id], idle=0, justid=True
            )

    def frame(self, job: Job) -> bytes | None:
        """Bytes of the job's frame; None if the volatile Redis lost it."""
        with reachable(self._store.redis_url):
            data = self._store.blobs.get(keys.blob(job.run, job.blob))
        assert data is None or isinstance(data, bytes)
        return data

    def newest_batch(self, job: Job) -> int:
        """Number of the newest sample batch its run has pushed."""
        with reachable(self._store.redis_url):
            newest = self._store.data.hget(keys.meta(job.run), "pushed:samples")
            current = self._store.data.hget(keys.meta(job.run), "segment")
        if newest is None or current is None or text(current) != job.segment:
            return job.row
        return int(newest)

    def networks(self, job: Job) -> list[str]:
        """Names of the networks that its run pushes, as far as they are known."""
        with reachable(self._store.redis_url):
            told = self._store.data.hget(keys.meta(job.run), "networks")
        return list(json.loads(told)) if isinstance(told, bytes) else []

    def failed(self, job: Job) -> int:
        """Count a failure of the job; how many there were. The job stays claimed."""
        with reachable(self._store.redis_url):
            return int(self._store.data.hincrby(keys.failures(job.shard), job.id, 1))

    def keep_part(self, job: Job, part: int, result: bytes, *, last: bool) -> list[bytes] | None:
        """Store a partial result; all of them if this was the last missing one, else None.

        With None the job is done; otherwise it is still claimed and must be finished.
        """
        with reachable(self._store.redis_url):
            answer = self._keep_part(
                keys=[*self._job_keys(job), keys.parts(job.run, job.segment, job.row)],
                args=[
                    keys.GROUP,
                    self._consumer,
                    job.id,
                    job.segment,
                    part,
                    result,
                    int(last),
                    PARTS_TTL_S,
                ],
            )
        if answer[0] == b"complete":
            return list(answer[1:])
        if answer[0] != b"unclaimed":
            self._free(job)
        return None

    def finish(
        self,
        job: Job,
        block: Block,
        *,
        artifacts: Artifacts = NO_ARTIFACTS,
        counts: dict[str, int] | None = None,
        dead: str = "",
    ) -> bool:
        """Store the block and acknowledge, once; False if the claim or the run is gone.

        Args:
            job: the job whose claim this worker holds.
            block: its points.
            artifacts: of a sample batch.
            counts: counters of the run to raise.
            dead: why the job is given up, if it is.
        """
        writes = list(writes_of(block))
        payload = payload_of(
            block,
            self._ordinal(job),
            writes,
            counts=counts or {},
            dead=dead,
            batch=job.row,
            has_grid=bool(artifacts.grid),
            provenance=artifacts.provenance,
        )
        with reachable(self._store.redis_url):
            answer = self._finish(
                keys=[*self._finish_keys(job), *(write.key for write in writes)],
                args=[
                    keys.GROUP,
                    self._consumer,
                    job.id,
                    payload,
                    artifacts.grid,
                    artifacts.modes,
                    *(write.data for write in writes),
                ],
            )
        if answer != b"unclaimed":
            self._free(job)
        return bool(answer == b"done")

    def _create_group(self, stream: str) -> None:
        try:
            self._store.data.xgroup_create(stream, keys.GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _reclaim(self, shard: int, lane: keys.Lane) -> Job | None:
        stream = keys.jobs(shard, lane)
        answer: Any = self._store.data.xautoclaim(
            stream, keys.GROUP, self._consumer, self._claim_timeout_ms, count=1
        )
        entries = [entry for entry in answer[1] if entry and entry[1]]
        if not entries:
            return None
        pending: Any = self._store.data.xpending_range(
            stream, keys.GROUP, entries[0][0], entries[0][0], 1
        )
        deliveries = pending[0]["times_delivered"] if pending else 1
        return self._checked(entries[0], shard, lane, int(deliveries))

    def _read(self, shard: int, lane: keys.Lane, wait_ms: int) -> Job | None:
        answer: Any = self._store.data.xreadgroup(
            keys.GROUP, self._consumer, {keys.jobs(shard, lane): ">"}, count=1, block=wait_ms
        )
        return self._checked(answer[0][1][0], shard, lane, 1) if answer else None

    def _checked(self, entry: Any, shard: int, lane: keys.Lane, deliveries: int) -> Job | None:
        """The job in an entry; one that is none is put with the dead letters at once."""
        try:
            return _job(entry, shard, lane, deliveries)
        except StoreError as error:
            stream = keys.jobs(shard, lane)
            self._store.data.xadd(keys.dead_letters(shard), {"run": "", "job": str(error)})
            self._store.data.xack(stream, keys.GROUP, entry[0])
            self._store.data.xdel(stream, entry[0])
            return None

    def _ordinal(self, job: Job) -> int:
        with reachable(self._store.redis_url):
            about = self._store.data.hget(keys.segments(job.run), job.segment)
        return int(json.loads(about)["ordinal"]) if isinstance(about, bytes) else 0

    def _job_keys(self, job: Job) -> list[str]:
        stream = keys.jobs(job.shard, job.lane)
        return [keys.segments(job.run), stream, keys.failures(job.shard)]

    def _finish_keys(self, job: Job) -> list[str]:
        run = job.run
        return [
            *self._job_keys(job),
            keys.rows(run),
            keys.metrics(run),
            keys.problems(run),
            keys.events(run),
            keys.shard_events(job.shard),
            keys.dead_letters(job.shard),
            keys.parts(run, job.segment, job.row),
            keys.grids(run),
            keys.modes(run),
        ]

    def _free(self, job: Job) -> None:
        member = f"{job.blob}|{job.nbytes}"
        run_keys = [
            keys.outstanding(job.run),
            keys.outstanding_bytes(job.run),
            keys.blob(job.run, job.blob),
        ]
        with reachable(self._store.redis_url):
            self._release(keys=run_keys, args=[member])


def _job(entry: Any, shard: int, lane: keys.Lane, deliveries: int) -> Job:
    fields = {text(name): text(value) for name, value in entry[1].items()}
    try:
        return Job(
            id=text(entry[0]),
            lane=lane,
            shard=shard,
            deliveries=deliveries,
            run=fields["run"],
            segment=fields["segment"],
            kind=fields["kind"],
            blob=fields["blob"],
            nbytes=int(fields["bytes"]),
            row=int(fields["row"]),
            step=int(fields["step"]),
            time=float(fields["time"]),
        )
    except (KeyError, ValueError) as error:
        raise StoreError(f"job {text(entry[0])} is malformed: {error!r}") from error
