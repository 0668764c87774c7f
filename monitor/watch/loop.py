"""The one home of the detector: a loop under a lease, with state and alerts stored atomically."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from monitor.alerts.rule import Rule
from monitor.errors import StoreError
from monitor.store.connection import Store
from monitor.store.watching import Lease, WatchStore
from monitor.watch.retention import NO_LIMITS, Limits
from monitor.watch.shard_watch import ShardWatch
from monitor.watch.ticking import tick_until
from trainer_hooks import keys

log = logging.getLogger(__name__)


class Watch:
    """Watches all runs of the store while it holds the lease; many may stand by.

    Args:
        store: both Redis servers.
        rules: of the settings; those made over REST come on top.
        limits: on what is kept.
        clock: seconds that only go forward.
        sensitivity: of the detector.
    """

    def __init__(
        self,
        store: Store,
        *,
        rules: Sequence[Rule] = (),
        limits: Limits = NO_LIMITS,
        clock: Callable[[], float] = time.monotonic,
        sensitivity: str = "normal",
    ) -> None:
        owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        mine = WatchStore(store, owner)
        self._shards = [
            ShardWatch(store, mine, shard, clock, rules, limits, sensitivity)
            for shard in range(keys.SHARDS)
        ]
        self._stopping = threading.Event()

    def leases(self) -> list[Lease]:
        """The shards that are ours, as of the last look; for other threads."""
        return [lease for shard in self._shards if (lease := shard.lease) is not None]

    def run(self) -> None:
        """Watch until `stop`; an outage of Redis is waited out."""
        tick_until(self._stopping, self.tick, "the watch")
        self.release()

    def stop(self) -> None:
        """End `run` soon; the lease is given back."""
        self._stopping.set()

    def tick(self) -> None:
        """Look once at what is new."""
        for shard in self._shards:
            shard.tick()

    def release(self) -> None:
        """Store what is not stored yet and let others watch."""
        for shard in self._shards:
            try:
                shard.release()
            except StoreError as error:
                log.info("the lease runs out by itself: %s", error)
