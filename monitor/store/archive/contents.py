"""What the records of an archive say: a run, its keys in order, the items of each key in order.

Order makes an archive of the same run the same bytes, and tells doubles without remembering names.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from monitor.errors import ArchiveError
from monitor.store import columns
from monitor.store.archive.parts import Type, type_of
from monitor.store.archive.records import HEADER, ITEM, KEY, RecordReader
from monitor.store.weight_parts import CALLS_PER_CHUNK
from trainer_hooks.errors import BadNameError
from trainer_hooks.names import check_run

#: Keys of a run: one script renames them all, and Redis takes a million words at once. Two million
#: steps of ten metrics have 20,000.
MOST_KEYS = 400_000
#: Items of all keys: each takes Redis a hundred bytes beside what it holds.
MOST_ITEMS = 2_000_000
#: Longest time to live, milliseconds: a week; parts of batches have a day.
MOST_TTL_MS = 7 * 24 * 3600 * 1000
#: Bytes of a string, the larger of those that there are.
MOST_STRING = max(columns.ROWS_PER_CHUNK * columns.WORD_BYTES, CALLS_PER_CHUNK // 8)
#: Redis gives ids by its clock, milliseconds; one from the end of time would stop the stream.
EVENT_ID = re.compile(r"(\d{1,15})-(\d{1,10})", re.ASCII)
#: Order and step of an image grid or mode histogram, see `finish.payload_of`.
ARTIFACT = re.compile(r"\d{1,20}:-?\d{1,19}", re.ASCII)
#: How often a chunk was written, see `monitor.store.edits`.
COUNT = re.compile(r"\d{1,15}", re.ASCII)
#: What an event has, and may have.
EVENT_FIELDS = ({"event", "data"}, {"event", "run", "data"})


@dataclass(frozen=True, slots=True)
class Header:
    """Whose archive it is: the run's name, and its score in the list of runs (its start)."""

    run: str
    listed: float


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a key: (value,) of a string, (field, value) of a hash, (member, score) of a
    sorted set, (id, field, value, …) of a stream. `ttl_ms` is 0 for a key that stays."""

    kind: Type
    part: str
    ttl_ms: int
    strings: tuple[bytes, ...]


def read_header(strings: list[bytes]) -> Header:
    """The first record.

    Raises:
        ArchiveError: it names no run, or no place in the list.
    """
    try:
        told = json.loads(strings[0])
        header = Header(check_run(told["run"]), float(told["listed"]))
    except (ValueError, LookupError, TypeError, RecursionError, BadNameError) as error:
        raise ArchiveError(f"the archive does not say which run it is of: {error}") from error
    if not (math.isfinite(header.listed) and header.listed >= 0):
        raise ArchiveError(f"the archive lists run {header.run!r} at {header.listed}, no time")
    return header


def read_contents(reader: RecordReader) -> tuple[Header, Iterator[Item]]:
    """Header and items of an archive; they are checked one by one as they are taken.

    Raises:
        ArchiveError: by the iterator too; says what is wrong.
    """
    records = iter(reader)
    tag, strings = next(records, (b"", []))
    if tag != HEADER:
        raise ArchiveError("the archive is damaged: it does not begin with a header")
    return read_header(strings), _items(records)


def _items(records: Iterator[tuple[bytes, list[bytes]]]) -> Iterator[Item]:
    key: tuple[Type, str, int] | None = None
    last, empty, count_keys, count_items = "", False, 0, 0
    place: Any = None
    for tag, strings in records:
        if tag == KEY:
            if empty:
                raise ArchiveError(f"the archive is damaged: {last[:100]!r} holds nothing")
            key = _key(strings, after=last)
            last, place, empty, count_keys = key[1], None, True, count_keys + 1
        elif tag == ITEM and key is not None:
            item = Item(*key, tuple(strings))
            place = _place(item, after=place)
            empty, count_items = False, count_items + 1
            yield item
        else:
            raise ArchiveError(f"the archive is damaged: a record {tag!r} where a key is expected")
        if count_keys > MOST_KEYS or count_items > MOST_ITEMS:
            raise ArchiveError(
                f"the archive has more than {MOST_KEYS:,} keys or {MOST_ITEMS:,} items"
            )
    if empty or key is None:
        raise ArchiveError("the archive is damaged: its last key holds nothing")


def _key(strings: list[bytes], *, after: str) -> tuple[Type, str, int]:
    try:
        part, ttl = (string.decode("ascii") for string in strings)
    except ValueError as error:
        raise ArchiveError(f"the archive is damaged: {strings[:2]!r:.100} is no key") from error
    if not re.fullmatch(r"\d{1,12}", ttl, re.ASCII) or int(ttl) > MOST_TTL_MS:
        raise ArchiveError(f"the key {part[:100]!r} lives for {ttl[:20]!r} ms; no key does")
    if part <= after:
        raise ArchiveError(f"the key {part[:100]!r} is not in order, or there twice")
    return type_of(part), part, int(ttl)


def _place(item: Item, *, after: Any) -> Any:
    """What orders an item among those of its key; it must come behind `after`."""
    try:
        place = _PLACES[item.kind](item)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ArchiveError(f"an item of {item.part[:100]!r} cannot be read: {error}") from error
    if after is not None and not place > after:
        raise ArchiveError(f"an item of {item.part[:100]!r} is not in order, or there twice")
    return place


def _string(item: Item) -> Any:
    (value,) = item.strings
    if not 1 <= len(value) <= MOST_STRING:
        raise ValueError(f"{len(value):,} bytes; at most {MOST_STRING:,} are ever written")
    # Nothing comes behind the only one.
    return math.inf


def _hash(item: Item) -> Any:
    field, value = item.strings
    if item.part in ("grids", "modes") and not ARTIFACT.fullmatch(field.decode("ascii")):
        raise ValueError(f"{field[:50]!r} is no order and step")
    if item.part == "edits" and not COUNT.fullmatch(value.decode("ascii")):
        raise ValueError(f"{value[:50]!r} is no count")
    return field


def _zset(item: Item) -> Any:
    member, score = item.strings
    if not math.isfinite(float(score)):
        raise ValueError(f"the score {score[:20]!r} is no number")
    return float(score), member


def _stream(item: Item) -> Any:
    found = EVENT_ID.fullmatch(item.strings[0].decode("ascii"))
    pairs = item.strings[1:]
    fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
    names = {name.decode() for name in fields}
    if found is None or names not in EVENT_FIELDS or 2 * len(fields) != len(pairs):
        raise ValueError("no event")
    fields[b"event"].decode()
    json.loads(fields[b"data"])
    return int(found[1]), int(found[2])


_PLACES = {"string": _string, "hash": _hash, "zset": _zset, "stream": _stream}
