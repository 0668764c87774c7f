"""Claims: which worker has which job, and what happens to those of dead workers."""

from typing import Any

import redis

from monitor.errors import StoreError
from monitor.store import scripts
from monitor.store.connection import Store, reachable
from monitor.store.job import Job, parse_job
from trainer_hooks import keys

#: A claim that was not renewed for this long belongs to a dead worker, milliseconds.
CLAIM_TIMEOUT_MS = 30_000
#: Deliveries after which a job is given up that never failed: it kills its workers.
MOST_DELIVERIES = 10
#: Jobs given up that are kept to be looked at.
MOST_DEAD_LETTERS = 1000


class Claims:
    """Takes jobs for one worker.

    Args:
        store: both Redis servers.
        consumer: name of this worker in the group; unique.
        claim_timeout_ms: age at which another worker's claim is taken over.
    """

    def __init__(
        self, store: Store, consumer: str, *, claim_timeout_ms: int = CLAIM_TIMEOUT_MS
    ) -> None:
        self._store = store
        self._consumer = consumer
        self._claim_timeout_ms = claim_timeout_ms
        self._renew = store.data.register_script(scripts.RENEW)

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

    def renew(self, job: Job) -> bool:
        """Keep the claim: slowness is not failure. False if it is no longer ours."""
        with reachable(self._store.redis_url):
            renewed = self._renew(
                keys=[keys.jobs(job.shard, job.lane)], args=[keys.GROUP, self._consumer, job.id]
            )
        return bool(renewed)

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
        return self._parsed(entries[0], shard, lane, int(deliveries))

    def _read(self, shard: int, lane: keys.Lane, wait_ms: int) -> Job | None:
        answer: Any = self._store.data.xreadgroup(
            keys.GROUP, self._consumer, {keys.jobs(shard, lane): ">"}, count=1, block=wait_ms
        )
        return self._parsed(answer[0][1][0], shard, lane, 1) if answer else None

    def _parsed(self, entry: Any, shard: int, lane: keys.Lane, deliveries: int) -> Job | None:
        """The job in an entry; one that is none is put with the dead letters at once."""
        try:
            return parse_job(entry, shard, lane, deliveries)
        except StoreError as error:
            stream = keys.jobs(shard, lane)
            self._store.data.xadd(
                keys.dead_letters(shard),
                {"run": "", "job": entry[0], "error": str(error)},
                maxlen=MOST_DEAD_LETTERS,
            )
            self._store.data.xack(stream, keys.GROUP, entry[0])
            self._store.data.xdel(stream, entry[0])
            return None
