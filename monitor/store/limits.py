"""Limits of single runs: what is kept of one, where that differs from all others."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from monitor.errors import LimitsError, UnknownRunError
from monitor.store.connection import Store, reachable, text
from trainer_hooks import keys

#: No limit leaves fewer image grids, and mode histograms, of a run.
LEAST_GRIDS = 10
#: And none more: beyond, the worker thins by itself (store/finish.py).
MOST_GRIDS = 2000

#: Give a run limits of its own. KEYS 1 segments, 2 limits · ARGV 1 run, 2 JSON, "" for none
#: Returns 0 if there is no such run.
SET = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if ARGV[2] == '' then redis.call('HDEL', KEYS[2], ARGV[1])
else redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
return 1
"""


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """What holds for one run; None: what the settings have for all.

    Attributes:
        days: after its end that it is kept; 0 for ever.
        bytes: that it may take alone; 0 for any. The settings have no such bound.
        grids: image grids, and mode histograms; `LEAST_GRIDS` … `MOST_GRIDS`.
    Raises:
        LimitsError: one of them is out of bounds; names it, its value and the bound.
    """

    days: float | None = None
    bytes: int | None = None
    grids: int | None = None

    def __post_init__(self) -> None:
        if self.grids is not None and not LEAST_GRIDS <= self.grids <= MOST_GRIDS:
            bounds = f"{LEAST_GRIDS} … {MOST_GRIDS}"
            raise LimitsError(f"grids is {self.grids}; expected a number in {bounds}")
        for name, value in (("days", self.days), ("bytes", self.bytes)):
            if value is not None and not 0 <= value < math.inf:
                raise LimitsError(f"{name} is {value}; expected a number from 0 on")

    def as_dict(self) -> dict[str, Any]:
        """JSON form, as REST carries it."""
        return asdict(self)


#: A run like all others.
NONE_OWN = OwnLimits()


def set_limits(store: Store, run: str, own: OwnLimits) -> None:
    """Give a run limits of its own, instead of those it had.

    Raises:
        UnknownRunError: there is no such run.
    """
    names = [keys.segments(run), keys.limits(keys.shard_of(run))]
    told = {name: value for name, value in own.as_dict().items() if value is not None}
    with reachable(store.redis_url):
        script = store.data.register_script(SET)
        if not script(keys=names, args=[run, json.dumps(told) if told else ""]):
            raise UnknownRunError(f"no run is called {run!r}")


def limits_of(store: Store, run: str) -> OwnLimits:
    """The limits that a run has of its own."""
    with reachable(store.redis_url):
        told: Any = store.data.hget(keys.limits(keys.shard_of(run)), run)
    return _parsed(told) if told else NONE_OWN


def all_limits(store: Store, shard: int) -> dict[str, OwnLimits]:
    """Runs of a shard that have limits of their own, and which."""
    with reachable(store.redis_url):
        found: Any = store.data.hgetall(keys.limits(shard))
    return {text(run): _parsed(told) for run, told in found.items()}


def _parsed(told: bytes) -> OwnLimits:
    try:
        return OwnLimits(**json.loads(told))
    except (ValueError, TypeError, LimitsError):
        return NONE_OWN  # None that this version has written.
