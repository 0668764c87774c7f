"""What limits do in Redis: remove a run that has ended, thin its pictures, spare what is marked."""

import json
from collections.abc import Sequence
from typing import Literal, cast

from monitor.errors import UnknownRunError
from monitor.store.connection import Store, reachable, text
from monitor.store.watching import Lease
from trainer_hooks import keys

#: A run with this tag is never removed by a limit.
KEEP_TAG = "keep"

#: Remove a run that is silent for long enough: it is gone from here on, its keys follow.
#: KEYS 1 lease, 2 segments, 3 meta, 4 kept, 5 counters
#: ARGV 1 lease value, 2 run, 3 silent for so many seconds at least, 4 counter
#: Returns 'removed', 'lost' (the lease), 'deleted', 'kept' or 'alive'.
REMOVE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lost' end
if redis.call('EXISTS', KEYS[2]) == 0 then return 'deleted' end
if redis.call('SISMEMBER', KEYS[4], ARGV[2]) == 1 then return 'kept' end
local heard = tonumber(redis.call('HGET', KEYS[3], 'heartbeat') or '')
if not heard or redis.call('TIME')[1] - heard < tonumber(ARGV[3]) then return 'alive' end
redis.call('DEL', KEYS[2])
redis.call('HINCRBY', KEYS[5], ARGV[4], 1)
return 'removed'
"""

#: Remove pictures. KEYS 1 lease, 2 grids or modes, 3 counters · ARGV 1 lease value, 2 counter,
#: 3… fields · Returns how many were removed, -1 if another holds the lease.
THIN = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local removed = redis.call('HDEL', KEYS[2], unpack(ARGV, 3))
redis.call('HINCRBY', KEYS[3], ARGV[2], removed)
return removed
"""

#: Mark a run, or take the mark back. KEYS 1 segments, 2 kept · ARGV 1 run, 2 on (0/1)
#: Returns 0 if there is no such run.
KEEP = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call(ARGV[2] == '1' and 'SADD' or 'SREM', KEYS[2], ARGV[1])
return 1
"""

#: What became of a removal.
Removal = Literal["removed", "lost", "deleted", "kept", "alive"]


def keep_run(store: Store, run: str, *, on: bool = True) -> None:
    """Mark a run that no limit may remove, or take the mark back.

    Raises:
        UnknownRunError: there is no such run.
    """
    names = [keys.segments(run), keys.kept(keys.shard_of(run))]
    with reachable(store.redis_url):
        if not store.data.register_script(KEEP)(keys=names, args=[run, int(on)]):
            raise UnknownRunError(f"no run is called {run!r}")


def kept_runs(store: Store, runs: Sequence[str]) -> set[str]:
    """Those of `runs` of one shard that no limit may remove: marked, or with the tag."""
    if not runs:
        return set()
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        pipe.smembers(keys.kept(keys.shard_of(runs[0])))
        for run in runs:
            pipe.hget(keys.meta(run), "tags")
        marked, *tags = pipe.execute()
    names = {text(name) for name in marked}
    tagged = zip(runs, tags, strict=True)
    return names | {run for run, told in tagged if told and KEEP_TAG in json.loads(told)}


def remove_silent(store: Store, lease: Lease, run: str, silent_s: float, limit: str) -> Removal:
    """Remove a run whose trainer was not heard for `silent_s`; `deletion.clear` does the rest.

    Args:
        store: both Redis servers.
        lease: under which the run was chosen.
        run: its id.
        silent_s: checked again, in the same step.
        limit: that it is removed for: ``days`` or ``bytes``.
    """
    names = [
        keys.watch_lease(lease.shard), keys.segments(run), keys.meta(run), keys.kept(lease.shard),
        keys.counters(lease.shard),
    ]  # fmt: skip
    with reachable(store.redis_url):
        script = store.data.register_script(REMOVE)
        answer = script(keys=names, args=[lease.value, run, silent_s, f"removed_runs:{limit}"])
    return cast(Removal, text(answer))


def remove_artifacts(store: Store, lease: Lease, key: str, what: str, fields: list[str]) -> int:
    """Remove image grids or mode histograms; how many there were.

    Args:
        store: both Redis servers.
        lease: under which they were chosen.
        key: the run's `keys.grids` or `keys.modes`.
        what: ``grids`` or ``modes``.
        fields: of the hash.
    """
    names = [keys.watch_lease(lease.shard), key, keys.counters(lease.shard)]
    with reachable(store.redis_url):
        script = store.data.register_script(THIN)
        return int(script(keys=names, args=[lease.value, f"thinned:{what}", *fields]))


def note_bytes(store: Store, shard: int, nbytes: int) -> None:
    """Remember what all runs take, for `/metrics`."""
    with reachable(store.redis_url):
        store.data.hset(keys.counters(shard), "stored_bytes", nbytes)
