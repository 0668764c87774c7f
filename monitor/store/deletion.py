"""How a run is removed: every key, on both servers, however busy trainer and workers are."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from monitor.store.connection import Store, reachable, text
from monitor.store.events import announce
from monitor.store.segments import segments_of
from trainer_hooks import keys

#: Keys removed at once.
DELETE_PAGE = 500


def delete_run(store: Store, run: str) -> None:
    """Remove a run and all its keys; a trainer that still pushes is told and stops.

    Raises:
        UnknownRunError: there is no such run.
    """
    segments_of(store, run)
    with reachable(store.redis_url):
        # From here on every script refuses the run; what follows only tidies up.
        store.data.delete(keys.segments(run))
        store.data.zrem(keys.RUNS, run)
        _unlink(store.data, keys.run_pattern(run), keep=keys.meta(run))
        _forget_dead_letters(store, run)
        _forget_notices(store, run)
    with reachable(store.blob_url):
        _unlink(store.blobs, keys.blob_pattern(run))
        store.blobs.unlink(keys.outstanding(run), keys.outstanding_bytes(run))
    with reachable(store.redis_url):
        # Last: while it is there, nobody else can take the name and lose keys to this deletion.
        store.data.unlink(keys.meta(run))
    # The run's own stream is gone with it.
    announce(store, run, "status", {"run": run, "status": "deleted"}, shard_only=True)


def _unlink(client: Any, pattern: str, *, keep: str = "") -> None:
    found = (key for key in client.scan_iter(match=pattern, count=DELETE_PAGE) if text(key) != keep)
    for page in _pages(found):
        client.unlink(*page)


def _pages(keys_found: Iterable[Any]) -> Iterable[list[Any]]:
    left = iter(keys_found)
    while page := list(islice(left, DELETE_PAGE)):
        yield page


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
