"""Counters of the whole product, for `/metrics`: one hash of whole numbers a shard.

A field is a name and the values of its labels, ``points:S:ok``. What is stored is counted by the
script that stores it, so once however often it is tried; what workers measure of themselves comes
with their heartbeat. A histogram has a field for each bucket and one for the sum, so that all of
them together take a few kilobytes, however many runs there are and whatever they are called.
"""

import bisect
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monitor.store.blocks import Block
from monitor.store.connection import Store, reachable
from monitor.store.segments import plain
from trainer_hooks import keys

#: What a metric belongs to; ``scalar`` is everything that the trainer sent as a number.
FAMILIES = ("S", "Q", "D", "scalar")
#: What of evaluation is timed: the angles of a frame, the scores and the features (with their
#: modes) of a chunk, the companions of a batch.
Part = Literal["S", "Q", "D", "companions"]
PARTS: tuple[Part, ...] = ("S", "Q", "D", "companions")
#: Longer durations count as this one, seconds: a month. A trainer's clock may be years off.
LONGEST_S = 30 * 24 * 3600.0
INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)

#: For scripts: raise a counter. It must never keep a result from being stored, so its own failure
#: is left out.
COUNT = """
local function count(key, field, by) redis.pcall('HINCRBY', key, field, by) end
"""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Durations by a label.

    Attributes:
        name: of its fields.
        bounds_s: upper bounds of the buckets, ascending, seconds; above the last is one more.
    """

    name: str
    bounds_s: tuple[float, ...]

    def counted(self, label: str, seconds: NDArray[np.float64]) -> dict[str, int]:
        """What these durations add, by field."""
        known = np.clip(seconds, 0.0, LONGEST_S)
        buckets = np.bincount(np.searchsorted(self.bounds_s, known)).tolist()
        bounds = (*self.bounds_s, np.inf)
        told = {f"{self.name}:{label}:{bounds[i]:g}": n for i, n in enumerate(buckets) if n}
        return {**told, f"{self.name}:{label}:sum_us": round(known.sum() * 1e6)}

    def read(self, counters: Mapping[str, int], label: str) -> tuple[list[int], float]:
        """Durations in each bucket and above, not summed up, and their sum in seconds."""
        buckets = [0] * (len(self.bounds_s) + 1)
        for (bound,), number in fields_of(counters, f"{self.name}:{label}", 1).items():
            if bound != "sum_us":
                # Written with other bounds by another version: into the bucket that holds it all.
                buckets[bisect.bisect_left(self.bounds_s, _number(bound))] += number
        return buckets, counters.get(f"{self.name}:{label}:sum_us", 0) / 1e6


#: From a push to its stored points, by kind of push.
PUSH_TO_POINT = Histogram(
    "push_to_point", (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600)
)
#: Of evaluation, by what is evaluated.
EVALUATION = Histogram(
    "evaluation", (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
)


def counted_points(block: Block, now_s: float) -> dict[str, int]:
    """What the points of a block add, by field; `now_s` is Unix seconds by the Redis clock."""
    found = Counter(
        f"points:{_family(metric)}:{cell.status}"
        for metric, cells in block.cells.items()
        for cell in cells
    )
    # Without points, as where a batch was skipped, nothing has arrived.
    waited = PUSH_TO_POINT.counted(block.kind, now_s - block.rows.time) if found else {}
    return {**found, **waited}


def count(store: Store, counted: Mapping[str, int]) -> None:
    """Raise counters that belong to no shard."""
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        for field, by in counted.items():
            pipe.hincrby(keys.counters(0), field, by)
        pipe.execute()


def read_counters(store: Store) -> dict[str, int]:
    """All counters, over all shards."""
    total: Counter[str] = Counter()
    for shard in range(keys.SHARDS):
        with reachable(store.redis_url):
            found: Any = store.data.hgetall(keys.counters(shard))
        for field, number in plain(found).items():
            # What else somebody may have put there must not hide the rest.
            if INTEGER.fullmatch(number):
                total[field] += int(number)
    return dict(total)


def fields_of(counters: Mapping[str, int], name: str, labels: int) -> dict[tuple[str, ...], int]:
    """The counters of a name with so many labels, by their values."""
    begin = f"{name}:"
    found = {
        tuple(field.removeprefix(begin).split(":")): number
        for field, number in counters.items()
        if field.startswith(begin)
    }
    return {values: number for values, number in found.items() if len(values) == labels}


def _family(metric: str) -> str:
    first = metric.partition(".")[0]
    return first if first in FAMILIES[:-1] else FAMILIES[-1]


def _number(bound: str) -> float:
    """A bucket's bound; what is none counts above all."""
    try:
        return float(bound)
    except ValueError:
        return float("inf")
