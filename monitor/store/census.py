"""How many bytes each run takes, counted a page of keys at a time: a store may hold millions."""

from typing import Any

from monitor.store.connection import Store, reachable, text
from trainer_hooks import keys

#: Keys looked at by one step; a millisecond or two of Redis.
COUNT = 500


class Census:
    """Counts over and over.

    What is written or removed while it counts may be missing or counted still; a key that Redis
    moved meanwhile may be counted twice. Good for limits, not for bills.

    Args:
        store: both Redis servers.
        shard: whose runs are counted.
    """

    def __init__(self, store: Store, shard: int) -> None:
        self._store = store
        self._pattern = keys.runs_pattern(shard)
        self._cursor = 0
        self._counting: dict[str, int] = {}

    def step(self) -> dict[str, int] | None:
        """Count a page; bytes of each run when all were counted, else None."""
        data = self._store.data
        with reachable(self._store.redis_url):
            answer: Any = data.scan(self._cursor, match=self._pattern, count=COUNT)
            self._cursor, found = answer
            pipe = data.pipeline(transaction=False)
            for key in found:
                pipe.memory_usage(key)
            sizes: list[Any] = pipe.execute()
        for key, size in zip(found, sizes, strict=True):
            run, _ = keys.run_and_part(text(key))
            self._counting[run] = self._counting.get(run, 0) + (size or 0)
        if self._cursor != 0:
            return None
        done, self._counting = self._counting, {}
        return done
