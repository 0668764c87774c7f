"""Names of runs that ask for the same one; and how a member (a rank other than 0) finds the segment
of its rank 0 among them, without talking to it."""

import json
from collections.abc import Iterator
from typing import Any

from trainer_hooks import keys
from trainer_hooks.clients import Clients, link_errors
from trainer_hooks.errors import OwnerAwayError
from trainer_hooks.names import MAX_RUN_NAME
from trainer_hooks.settings import Settings
from trainer_hooks.shards import Shard

#: A rank 0 that gave its last sign of life so long before this process began belongs to an earlier
#: training, seconds.
EARLIER_S = 10.0
#: Suffixes tried for a run name that is taken.
MOST_SUFFIXES = 10_000


def join(clients: Clients, asked: str, shard: Shard, process: str, age_s: float) -> tuple[str, str]:
    """Take the place of `shard` in the run that rank 0 registered: the run and the place's name.

    Of several it is the one that began when this process did; each place is given once.

    Args:
        clients: of Redis.
        asked: the run's name as this process was told, and as rank 0 was.
        shard: of this process.
        process: unique name of this process.
        age_s: since it began, seconds.
    Raises:
        OwnerAwayError: there is no such run yet, or another process has the place.
    """
    began_s = clients.now_s() - age_s
    found = [
        (abs(started_s - began_s), run, _member_name(segment, shard.index))
        for run in _runs(clients, asked)
        for segment, started_s, alive_s in _segments(clients, run, asked)
        if alive_s >= began_s - EARLIER_S
    ]
    for _, run, member in sorted(found):
        clients.data.hsetnx(keys.members(run), member, process)
        if clients.data.hget(keys.members(run), member) == process.encode():
            return run, member
    if found:
        raise OwnerAwayError(f"another process pushes shard {shard} of run {asked!r} already")
    raise OwnerAwayError(
        f"shard {shard} waits for shard 0 to begin run {asked!r}; give every rank the same name, "
        "by start(...) or SQD_RUN"
    )


def names_from(asked: str) -> Iterator[str]:
    """Names for a run that asked for this one: it, and with a number where it is taken."""
    yield asked
    for number in range(2, MOST_SUFFIXES):
        suffix = f"-{number}"
        yield asked[: MAX_RUN_NAME - len(suffix)] + suffix


@link_errors
def free_name(settings: Settings) -> str:
    """The name that a run of these settings would get now; nothing is taken.

    Raises:
        LinkError: nobody says where Redis is, or it is away or refuses.
    """
    if settings.resume:
        return settings.run
    clients = Clients(settings)
    try:
        names = names_from(settings.run)
        return next((n for n in names if not clients.data.exists(keys.meta(n))), settings.run)
    finally:
        clients.close()


def _member_name(segment: str, index: int) -> str:
    """What stands for a segment where rank `index` pushes its parts for that of rank 0."""
    return f"{segment}.{index}"


def _runs(clients: Clients, asked: str) -> Iterator[str]:
    """Runs whose name may come from `asked`, with or without a number."""
    names: Any = clients.data.zrevrange(keys.RUNS, 0, -1)
    for name in (raw.decode() for raw in names):
        stem, _, number = name.rpartition("-")
        room = MAX_RUN_NAME - 1 - len(number)
        if name == asked or (number.isdecimal() and stem == asked[:room]):
            yield name


def _segments(clients: Clients, run: str, asked: str) -> Iterator[tuple[str, float, float]]:
    """Segments that asked for this name: when each began and was last alive."""
    known: Any = clients.data.hgetall(keys.segments(run))
    heartbeat: Any = clients.data.hget(keys.meta(run), "heartbeat")
    told = [(json.loads(about), name.decode()) for name, about in known.items()]
    told.sort(key=lambda pair: int(pair[0]["ordinal"]))
    began = [float(about["started"]) for about, _ in told]
    alive = [*began[1:], float(heartbeat or 0)]
    for (about, name), started_s, alive_s in zip(told, began, alive, strict=True):
        if about.get("asked") == asked:
            yield name, started_s, alive_s
