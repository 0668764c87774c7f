"""How a run is removed: every key, on both servers, however busy trainer and workers are.

The run is gone once its `segments` are: every script refuses it from then on. What follows tidies
up, page by page. Its name stays in the list of runs until the end, so that what was interrupted is
found, and is free only when nothing is left, so that nobody who takes it loses keys.
"""

from collections.abc import Collection, Iterator
from typing import Any

from monitor.store.connection import Store, reachable, text
from monitor.store.events import PAGE, announce
from monitor.store.segments import segments_of
from monitor.store.weight_parts import points_of
from trainer_hooks import keys

#: Keys looked at by one step of a scan.
SCAN_COUNT = 500

#: Remove keys of a run unless it is there (again). KEYS 1 segments, 2… keys · Returns 1 or 0.
CLEAR = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
return 1
"""

#: Let go of the name, last. RUNS lies in another slot of a cluster, which is not supported yet.
#: KEYS 1 segments, 2 meta, 3 kept, 4 runs, 5 limits · ARGV run
#: Returns 1, or 0 if it is there again or another let it go.
LET_GO = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
return math.max(redis.call('UNLINK', KEYS[2]), redis.call('ZREM', KEYS[4], ARGV[1]))
"""


def delete_run(store: Store, run: str) -> None:
    """Remove a run and all its keys; a trainer that still pushes is told and stops.

    Raises:
        UnknownRunError: there is no such run.
    """
    segments_of(store, run)
    with reachable(store.redis_url):
        store.data.delete(keys.segments(run))
    for _ in clear(store, run):
        pass


def clear(store: Store, run: str, reason: str = "") -> Iterator[None]:
    """Remove what is left of a run whose `segments` are gone; a little work before each `yield`.

    Doing it again, or twice at once, is harmless.

    Args:
        store: both Redis servers.
        run: its id.
        reason: why it was removed, for listeners; "" if somebody asked for it.
    """
    for step in (_clear_keys, _clear_blobs):
        with reachable(store.redis_url):
            if store.data.exists(keys.segments(run)):
                return
        yield from step(store, run)
    with reachable(store.redis_url):
        if waiting := points_of(store, run):
            store.data.zrem(keys.waiting_points(keys.shard_of(run)), *waiting)
        _forget_dead_letters(store, run)
        _forget_notices(store, run)
        let_go = store.data.register_script(LET_GO)
        shard = keys.shard_of(run)
        own = [keys.segments(run), keys.meta(run), keys.kept(shard), keys.RUNS, keys.limits(shard)]
        is_gone = let_go(keys=own, args=[run])
    if is_gone:
        told = {"run": run, "status": "deleted"} | ({"reason": reason} if reason else {})
        # The run's own stream is gone with it.
        announce(store, run, "status", told, shard_only=True)


def _clear_keys(store: Store, run: str) -> Iterator[None]:
    script = store.data.register_script(CLEAR)
    for found in _scan(store.data, store.redis_url, keys.run_pattern(run)):
        others = [key for key in found if text(key) != keys.meta(run)]
        with reachable(store.redis_url):
            if others and not script(keys=[keys.segments(run), *others]):
                return
        yield


def _clear_blobs(store: Store, run: str) -> Iterator[None]:
    for found in _scan(store.blobs, store.blob_url, keys.blob_pattern(run)):
        with reachable(store.blob_url):
            if found:
                store.blobs.unlink(*found)
        yield
    with reachable(store.blob_url):
        store.blobs.unlink(keys.outstanding(run), keys.outstanding_bytes(run))


def _scan(client: Any, url: str, pattern: str) -> Iterator[list[bytes]]:
    cursor = -1
    while cursor != 0:
        with reachable(url):
            cursor, found = client.scan(max(cursor, 0), match=pattern, count=SCAN_COUNT)
        yield found


def forget_events(store: Store, shard: int, known: Collection[str], before_s: float) -> None:
    """Remove events of runs that are gone from the stream of all runs.

    Not with the run: who listens stands at one of them, and would miss what comes next.

    Args:
        store: both Redis servers.
        shard: whose stream.
        known: the runs that there are.
        before_s: newer events stay, Unix seconds by the Redis clock.
    """
    stream, after, until = keys.shard_events(shard), "-", f"{int(before_s * 1000)}"
    with reachable(store.redis_url):
        while page := store.data.xrange(stream, after, until, count=PAGE):
            entries: Any = page
            gone = [name for name, fields in entries if text(fields.get(b"run", b"")) not in known]
            if gone:
                store.data.xdel(stream, *gone)
            after = f"({text(entries[-1][0])}"


def _forget_dead_letters(store: Store, run: str) -> None:
    stream = keys.dead_letters(keys.shard_of(run))
    letters: Any = store.data.xrange(stream)
    for letter, fields in letters:
        if text(fields.get(b"run", b"")) == run:
            store.data.xdel(stream, letter)


def _forget_notices(store: Store, run: str) -> None:
    queue = keys.notices(keys.shard_of(run))
    waiting: Any = store.data.zrange(queue, 0, -1)
    for member in waiting:
        if text(member).partition("|")[2] == run:
            store.data.zrem(queue, member)
