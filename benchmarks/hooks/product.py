"""Our own ways of pushing, against the embedded Redis and a worker that is elsewhere."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.hooks.training import Training
from benchmarks.hooks.variant import CALLS_ALONE, Values, Variant
from monitor.store.embedded import EmbeddedRedis
from trainer_hooks import keys, start

#: After this long without a new frame, seconds, the sender has sent what it had: it packs several
#: times a second.
QUIET_S = 0.5
#: Longest wait for that, seconds.
SETTLE_S = 20.0
#: Budget of a run, bytes. No worker takes frames before a block's end, and full snapshots weigh
#: 46 MB a push (frames overlap by one snapshot); the volatile Redis holds 1 GiB.
BUDGET_BYTES = 768 * 2**20
#: Calls of ways that copy the networks: enough for a p99 of sorts, and they take milliseconds.
NETWORK_CALLS = 200


class Elsewhere:
    """Stands for a worker on another machine: takes the frames away and does nothing with them."""

    def __init__(self, home: Path) -> None:
        self._embedded = EmbeddedRedis(home)
        self._store = self._embedded.store
        self._store.data.set(keys.BLOB_URL, self._embedded.blob_url)
        self.redis_url = self._embedded.redis_url
        self.taken_bytes: Counter[str] = Counter()

    def take(self, run: str) -> bool:
        """Take what the run has sent; whether there was anything."""
        stream = keys.jobs(keys.shard_of(run), "fast")
        jobs: Any = self._store.data.xrange(stream)
        for entry, job in jobs:
            owner = job[b"run"].decode()
            self.taken_bytes[owner] += int(job[b"bytes"])
            self._store.blobs.unlink(keys.blob(owner, job[b"blob"].decode()))
            self._store.data.xdel(stream, entry)
        self._store.blobs.delete(keys.outstanding(run), keys.outstanding_bytes(run))
        return bool(jobs)

    def settle(self, run: str) -> None:
        """Take until the sender has nothing left."""
        give_up_s = time.monotonic() + SETTLE_S
        self.take(run)
        time.sleep(QUIET_S)
        while self.take(run) and time.monotonic() < give_up_s:
            time.sleep(QUIET_S)

    def close(self) -> None:
        """Stop Redis."""
        self._embedded.close()


class Pushing(Variant):
    """`push_weights`, every iteration.

    Args:
        worker: takes the frames between blocks.
        name: of the run.
        weights: ``sketch`` or ``full``; None pushes scalars alone.
        max_overhead: of the rate control; 1 turns it off, None is the default.
    """

    def __init__(
        self,
        training: Training,
        folder: Path,
        *,
        worker: Elsewhere,
        name: str,
        weights: str | None,
        max_overhead: float | None,
    ) -> None:
        super().__init__(training, folder)
        if weights is None:
            self.calls_alone = CALLS_ALONE
        elif max_overhead is not None:  # Else nearly all calls in a row would do nothing.
            self.calls_alone = NETWORK_CALLS
        self._worker = worker
        self._networks = {"G": training.netG, "D": training.netD} if weights else {}
        self._run = start(
            name,
            redis_url=worker.redis_url,
            weights=weights,
            max_overhead=max_overhead,
            budget_bytes=BUDGET_BYTES,
        )

    def call(self, step: int, values: Values) -> None:
        self._run.push_weights(step, self._networks, scalars=values)

    def leave(self) -> None:
        self._worker.settle(self._run.id)

    def finish(self) -> None:
        self._run.finish()
        self._worker.take(self._run.id)

    def written_bytes(self) -> int:
        return self._worker.taken_bytes[self._run.id]

    def dropped(self) -> dict[str, int]:
        return dict(self._run.dropped)
