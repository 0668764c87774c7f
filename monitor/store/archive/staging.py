"""Keys of a run that is being imported: nobody reads them until one script makes them the run's."""

import contextlib
from types import TracebackType
from typing import Any

from monitor.errors import ArchiveError, StoreError
from monitor.store.archive.contents import Item
from monitor.store.connection import Store, reachable, text
from trainer_hooks import keys

#: What an import that was killed staged is gone after this time, seconds. One that lives is done
#: long before: Redis takes tens of megabytes a second.
STAGED_TTL_S = 3600
#: Bytes and commands sent at once.
FLUSH_BYTES, FLUSH_COMMANDS = 4 * 2**20, 1000
#: Keys removed at once.
PAGE = 500

#: Make staged keys a run. RUNS lies in another slot of a cluster, which is not supported yet.
#: KEYS 1 runs, 2 kept, 3 meta, 4 segments, then pairs staged, final
#: ARGV 1 run, 2 place in the list, then pairs number of a key that expires, its time to live ms
#: Returns 'done', 'taken' (the name) or 'expired' (a staged key). All names come from one
#: keyspace, so nothing can fail once the first is renamed.
PUBLISH = """
if redis.call('EXISTS', KEYS[3], KEYS[4]) > 0 then return 'taken' end
for i = 5, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[i]) == 0 then return 'expired' end
end
for i = 5, #KEYS, 2 do
  redis.call('RENAME', KEYS[i], KEYS[i + 1])
  redis.call('PERSIST', KEYS[i + 1])
end
for i = 3, #ARGV, 2 do redis.call('PEXPIRE', KEYS[4 + 2 * ARGV[i]], ARGV[i + 1]) end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[1])
return 'done'
"""


class Staging:
    """Takes the items of one archive; what was not published is removed when it ends.

    Args:
        store: both Redis servers.
        run: whose keys they become.
        token: unique name of this import.
    """

    def __init__(self, store: Store, run: str, token: str) -> None:
        self._store = store
        self._run, self._token = run, token
        self._parts: dict[str, int] = {}
        self._pipe = store.data.pipeline(transaction=False)
        self._nbytes = 0
        self._published = False

    def __enter__(self) -> "Staging":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._published:
            # What cannot be removed now expires.
            with contextlib.suppress(StoreError):
                self._remove()

    def add(self, item: Item) -> None:
        """Stage one item."""
        name = keys.staged(self._run, self._token, item.part)
        first = item.part not in self._parts
        self._parts.setdefault(item.part, item.ttl_ms)
        _ADD[item.kind](self._pipe, name, item.strings)
        if first:
            self._pipe.expire(name, STAGED_TTL_S)
        self._nbytes += sum(map(len, item.strings))
        if self._nbytes >= FLUSH_BYTES or len(self._pipe) >= FLUSH_COMMANDS:
            self._flush()

    def publish(self, listed: float) -> None:
        """Make what is staged a run, in one step.

        Args:
            listed: its place in the list of runs.
        Raises:
            ArchiveError: the name is taken by now, or the import took too long.
        """
        self._flush()
        run, shard = self._run, keys.shard_of(self._run)
        pairs = [
            (keys.staged(run, self._token, part), keys.of_run(run, part)) for part in self._parts
        ]
        expiring = [(n, ttl) for n, ttl in enumerate(self._parts.values(), 1) if ttl]
        with reachable(self._store.redis_url):
            script = self._store.data.register_script(PUBLISH)
            answer = script(
                keys=[
                    keys.RUNS, keys.kept(shard), keys.meta(run), keys.segments(run),
                    *(name for pair in pairs for name in pair),
                ],
                args=[run, repr(listed), *(each for pair in expiring for each in pair)],
            )  # fmt: skip
        if text(answer) == "taken":
            raise taken(run)
        if text(answer) != "done":
            raise ArchiveError(f"the import of {run!r} took over {STAGED_TTL_S} s; try again")
        self._published = True

    def _flush(self) -> None:
        with reachable(self._store.redis_url):
            self._pipe.execute()
        self._nbytes = 0

    def _remove(self) -> None:
        self._pipe.reset()
        names = [keys.staged(self._run, self._token, part) for part in self._parts]
        with reachable(self._store.redis_url):
            for first in range(0, len(names), PAGE):
                self._store.data.unlink(*names[first : first + PAGE])


def check_free(store: Store, run: str) -> None:
    """Raise ArchiveError if a run has this name; the last word has `Staging.publish`."""
    with reachable(store.redis_url):
        if store.data.exists(keys.meta(run), keys.segments(run)):
            raise taken(run)


def taken(run: str) -> ArchiveError:
    """The error of a name that is in use."""
    return ArchiveError(
        f"a run is called {run!r} already (or is still being removed): remove it, or import into "
        "another Redis; a run cannot be renamed, its alerts and events hold its name"
    )


def _hash(pipe: Any, name: str, strings: tuple[bytes, ...]) -> None:
    pipe.hset(name, *strings)


def _string(pipe: Any, name: str, strings: tuple[bytes, ...]) -> None:
    pipe.set(name, *strings)


def _zset(pipe: Any, name: str, strings: tuple[bytes, ...]) -> None:
    pipe.zadd(name, {strings[0]: float(strings[1])})


def _stream(pipe: Any, name: str, strings: tuple[bytes, ...]) -> None:
    fields = dict(zip(strings[1::2], strings[2::2], strict=True))
    pipe.xadd(name, fields, id=strings[0])


_ADD = {"hash": _hash, "string": _string, "zset": _zset, "stream": _stream}
