"""How often each chunk of rows was written: whoever keeps one decoded knows whether it still holds.

Rows come out of order, and a row that is there may get further points (of networks spread over
ranks): that a chunk is full does not mean that it stays as it is.
"""

from dataclasses import dataclass
from typing import Any

from monitor.errors import UnknownRunError
from monitor.store.blocks import Block
from monitor.store.columns import ROWS_PER_CHUNK
from monitor.store.connection import Store, reachable, text
from monitor.store.segments import Segment, parse_segments, plain
from trainer_hooks import keys

#: Field that counts the writes of all chunks together.
ALL_CHUNKS = "all"


@dataclass(frozen=True, slots=True)
class Edition:
    """What there is of a run at one moment.

    Attributes:
        segments: as they began.
        chunks: writes of each chunk by its name; of one from before they were counted there is
            none, and it does not change without being counted.
    """

    segments: list[Segment]
    chunks: dict[str, int]


def edition_of(store: Store, run: str) -> Edition:
    """The run's segments and counts, of one moment.

    Raises:
        UnknownRunError: there is no such run.
    """
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=True)
        for key in (keys.segments(run), keys.rows(run), keys.edits(run)):
            pipe.hgetall(key)
        answers: list[Any] = pipe.execute()
    known, stored, edits = answers
    if not known:
        raise UnknownRunError(f"no run is called {run!r}")
    counts = {text(name): int(count) for name, count in edits.items()}
    return Edition(parse_segments(plain(known), plain(stored)), counts)


def signature_of(store: Store, run: str) -> tuple[int, frozenset[str]] | object:
    """While it is equal, so is the run's edition; of a run that was never counted it never is.

    Raises:
        UnknownRunError: there is no such run.
    """
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=True)
        pipe.hkeys(keys.segments(run))
        pipe.hget(keys.edits(run), ALL_CHUNKS)
        answers: list[Any] = pipe.execute()
    segments, count = answers
    if not segments:
        raise UnknownRunError(f"no run is called {run!r}")
    return object() if count is None else (int(count), frozenset(map(text, segments)))


def edited(block: Block) -> list[str]:
    """Names of the chunks that a block is written to."""
    chunks = sorted({int(seq) // ROWS_PER_CHUNK for seq in block.rows.seq})
    return [name_of(block.segment, block.kind, chunk) for chunk in chunks]


def name_of(segment: str, kind: str, chunk: int) -> str:
    """What a chunk is counted under."""
    return f"{segment}:{kind}:{chunk}"
