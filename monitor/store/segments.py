"""Segments: the trainer processes of a run, and how much of each is stored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.errors import UnknownRunError
from monitor.store.blocks import KINDS
from monitor.store.connection import Store, reachable, text
from trainer_hooks import keys

#: Segments order points before rows do: more rows than a segment will ever have.
ORDER_STRIDE = 2**40


@dataclass(frozen=True, slots=True)
class Segment:
    """One trainer process of a run and how much of it is stored.

    Attributes:
        id, ordinal: its name and its number in the run.
        first_row: of its weights rows; above 0 if Redis lost what came before.
        rows: of each kind, one more than the highest number that is stored.
        first_step, last_step: None while nothing is stored.
        started: Unix seconds by the Redis clock.
        host: where it ran.
    """

    id: str
    ordinal: int
    first_row: int
    rows: dict[str, int]
    first_step: int | None
    last_step: int | None
    started: float
    host: str

    def first_row_of(self, kind: str) -> int:
        """Where its rows begin: later than 0 if Redis lost the first of them."""
        return self.first_row if kind == "weights" else 0


def segments_of(store: Store, run: str) -> list[Segment]:
    """The run's segments in the order they began.

    Raises:
        UnknownRunError: there is no such run.
    """
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        pipe.hgetall(keys.segments(run))
        pipe.hgetall(keys.rows(run))
        known, stored = pipe.execute()
    if not known:
        raise UnknownRunError(f"no run is called {run!r}")
    return parse_segments(plain(known), plain(stored))


def parse_segments(known: Mapping[str, str], stored: Mapping[str, str]) -> list[Segment]:
    """Segments from their descriptions and the run's row counts, as they lie in Redis."""
    found = [_segment(name, json.loads(about), stored) for name, about in known.items()]
    return sorted(found, key=lambda segment: segment.ordinal)


def ordinal_of(store: Store, run: str, segment: str) -> int:
    """Number of a segment in its run; 0 if the run is gone."""
    with reachable(store.redis_url):
        about = store.data.hget(keys.segments(run), segment)
    return int(json.loads(about)["ordinal"]) if isinstance(about, bytes) else 0


def plain(answer: Any) -> dict[str, str]:
    """A hash as text."""
    return {text(name): text(value) for name, value in answer.items()}


def _segment(name: str, about: dict[str, Any], stored: Mapping[str, str]) -> Segment:
    def number(field: str) -> int | None:
        value = stored.get(f"{name}:{field}")
        return None if value is None else int(float(value))

    return Segment(
        id=name,
        ordinal=int(about["ordinal"]),
        first_row=int(about.get("first_row", 0)),
        rows={kind: number(kind) or 0 for kind in KINDS},
        first_step=number("first_step"),
        last_step=number("last_step"),
        started=float(about["started"]),
        host=str(about.get("host", "")),
    )
