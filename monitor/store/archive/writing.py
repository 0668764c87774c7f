"""A run to an archive: read from Redis key by key, a page at a time, whatever its length."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from monitor.errors import ArchiveError, UnknownRunError
from monitor.store.archive.contents import MOST_KEYS
from monitor.store.archive.parts import Type, part_of, type_of
from monitor.store.archive.records import HEADER, ITEM, KEY, RecordWriter
from monitor.store.connection import Store, reachable, text
from monitor.store.events import newest_id
from monitor.store.runs import HASHES, read_run
from monitor.store.weight_parts import points_of
from trainer_hooks import keys

#: Strings, fields or events read at once: 2 MB of columns, or of image grids.
PAGE = 64
#: Keys looked at by one step of a scan.
SCAN_COUNT = 1000


@dataclass(frozen=True, slots=True)
class Archived:
    """What was written: keys and bytes."""

    keys: int
    nbytes: int


def archive_run(store: Store, run: str, path: Path) -> Archived:
    """Write a run that has ended to a new file, which is there only when it is whole.

    Args:
        store: both Redis servers.
        run: its id.
        path: must not exist.
    Raises:
        UnknownRunError: there is no such run.
        ArchiveError: it still changes, or the file cannot be written; says what to do.
    """
    started = _check_at_rest(store, run)
    if path.exists():
        raise ArchiveError(f"{path} exists; choose another file with -o")
    fresh = path.with_name(f".sqd-archive-{os.getpid()}.part")
    try:
        with fresh.open("xb") as file:
            archived = _write(store, run, started, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
    return archived


def _check_at_rest(store: Store, run: str) -> float:
    """When it started; raises unless trainer and workers are done with the run."""
    record = read_run(store, run)
    if record.status == "running":
        raise ArchiveError(
            f"run {run!r} is running: ask its trainer to stop (POST /api/runs/…/stop) or wait "
            "until it has ended, then archive it"
        )
    waiting = sum(_waiting_jobs(store, run)) + len(points_of(store, run))
    if waiting:
        raise ArchiveError(
            f"{waiting:,} jobs or points of run {run!r} wait for a worker: let one finish "
            "(`sqd up` or `sqd worker`), then archive it"
        )
    return record.started


def _waiting_jobs(store: Store, run: str) -> Iterator[int]:
    """One for each job of the run that is not finished."""
    for lane in keys.LANES:
        after = "-"
        with reachable(store.redis_url):
            while True:
                page: Any = store.data.xrange(keys.jobs(keys.shard_of(run), lane), after, count=500)
                yield sum(text(fields.get(b"run", b"")) == run for _, fields in page)
                if not page:
                    break
                after = f"({text(page[-1][0])}"


def _write(store: Store, run: str, started: float, file: BinaryIO) -> Archived:
    seen = _fingerprint(store, run)
    with reachable(store.redis_url):
        listed: Any = store.data.zscore(keys.RUNS, run)
        found = store.data.scan_iter(match=keys.run_pattern(run), count=SCAN_COUNT)
        names = sorted({part_of(text(key)) for key in found})
    if len(names) > MOST_KEYS:
        raise ArchiveError(f"run {run!r} has {len(names):,} keys; an archive takes {MOST_KEYS:,}")
    writer = RecordWriter(file)
    header = {"run": run, "listed": started if listed is None else listed}
    writer.write(HEADER, [json.dumps(header).encode()])
    count = sum(_write_key(store, run, part, writer) for part in names)
    if _fingerprint(store, run) != seen:
        raise ArchiveError(f"run {run!r} changed while it was archived; try again")
    writer.end()
    return Archived(count, writer.nbytes)


def _fingerprint(store: Store, run: str) -> str:
    """Differs when trainer, worker or watch did something to the run meanwhile."""
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        for key in (*HASHES, keys.members):
            pipe.hgetall(key(run))
        pipe.hkeys(keys.grids(run))
        pipe.hkeys(keys.modes(run))
        answers: list[Any] = pipe.execute()
    if not answers[HASHES.index(keys.segments)]:
        raise UnknownRunError(f"run {run!r} was deleted")
    told = [sorted(found.items() if isinstance(found, dict) else found) for found in answers]
    digest = hashlib.sha256(repr(told).encode())
    digest.update(newest_id(store, keys.events(run)).encode())
    return digest.hexdigest()


def _write_key(store: Store, run: str, part: str, writer: RecordWriter) -> bool:
    """Write one key; False if it is gone by now, as those that expire are."""
    key, kind = keys.of_run(run, part), type_of(part)
    with reachable(store.redis_url):
        items = _READERS[kind](store.data, key)
        first = next(items, None)
        ttl_ms: Any = store.data.pttl(key)
        if first is None:
            return False
        writer.write(KEY, [part.encode(), str(max(ttl_ms, 0)).encode()])
        writer.write(ITEM, first)
        for item in items:
            writer.write(ITEM, item)
    return True


def _string(data: Any, key: str) -> Iterator[list[bytes]]:
    value = data.get(key)
    if value:
        yield [value]


def _hash(data: Any, key: str) -> Iterator[list[bytes]]:
    fields = sorted(data.hkeys(key))
    for first in range(0, len(fields), PAGE):
        page = fields[first : first + PAGE]
        pairs = zip(page, data.hmget(key, page), strict=True)
        yield from ([field, value] for field, value in pairs if value is not None)


def _zset(data: Any, key: str) -> Iterator[list[bytes]]:
    for member, score in data.zrange(key, 0, -1, withscores=True):
        yield [member, repr(score).encode()]


def _stream(data: Any, key: str) -> Iterator[list[bytes]]:
    after = "-"
    while page := data.xrange(key, after, count=PAGE):
        for name, fields in page:
            yield [name, *(each for pair in fields.items() for each in pair)]
        after = f"({text(page[-1][0])}"


_READERS: dict[Type, Any] = {"string": _string, "hash": _hash, "zset": _zset, "stream": _stream}
