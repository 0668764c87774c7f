"""Sends what a trainer left on disk: after a crash, an outage or a run without a network."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_hooks.errors import (
    BudgetUsedError,
    HookError,
    RunDeletedError,
    SpoolBusyError,
    WireError,
)
from trainer_hooks.link import Link
from trainer_hooks.outbox import KINDS
from trainer_hooks.outgoing import Outgoing
from trainer_hooks.settings import read_settings
from trainer_hooks.spool import Spool

#: Wait before a frame is offered again to a worker that is behind, seconds.
BEHIND_S = 0.2


@dataclass(frozen=True, slots=True)
class Synced:
    """What was done with one folder.

    Attributes:
        run: id under which it arrived.
        frames, nbytes: that were sent.
        lost: what could not be read or was refused, by reason.
    """

    run: str
    frames: int
    nbytes: int
    lost: dict[str, int]


def spools_in(folder: Path) -> list[Path]:
    """Folders of trainer processes: `folder` itself or those in it, in the order they began; ranks
    other than 0, which join what rank 0 registers, come last."""
    told = [path for path in (folder / "about.json", *folder.glob("*/about.json")) if path.exists()]
    began = {path.parent: _spool(path.parent, Counter()).about() for path in told}
    return sorted(began, key=lambda path: _turn(began[path]))


def sync(
    folder: Path,
    *,
    redis_url: str,
    blob_url: str | None = None,
    progress: Callable[[Outgoing], None] = lambda _: None,
) -> Synced:
    """Send everything in the folder of one trainer process, then remove it.

    Interrupted at any moment it goes on where it was: what arrives twice changes nothing.

    Args:
        folder: one of `spools_in`.
        redis_url, blob_url: where to.
        progress: told of each frame that arrived.
    Raises:
        SpoolBusyError: its trainer still runs.
        HookError: its description cannot be read, Redis is away, or the run was deleted there.
    """
    lost: Counter[str] = Counter()
    spool = _spool(folder, lost)
    unsaid = False
    try:
        if not spool.claim():
            raise SpoolBusyError(f"{folder}: its trainer still runs and sends it itself")
        about = spool.about()
        link = _link(folder, about, redis_url, blob_url)
        unsaid = True
        link.connect(_first_row(spool))
        frames = nbytes = 0
        for outgoing in _all(spool):
            _post(link, outgoing, lost)
            spool.remove(outgoing)
            frames, nbytes = frames + 1, nbytes + outgoing.nbytes
            progress(outgoing)
        drops = Counter(about.get("drops", {})) + lost
        link.beat(
            dict(drops),
            about.get("networks", {}),
            finished=bool(about.get("finished")),
            crash=str(about.get("crash", "")),
            ring=str(about.get("ring", "")),
        )
        unsaid = False
        link.close()
    except RunDeletedError:
        unsaid = False
        raise
    finally:
        spool.close(unsaid=unsaid)
    return Synced(link.run, frames, nbytes, dict(lost))


def _turn(about: dict[str, Any]) -> tuple[bool, float]:
    shard = about.get("shard")
    return bool(shard and shard[0]), float(about.get("started_s", 0.0))


def _spool(folder: Path, lost: "Counter[str]") -> Spool:
    def count(reason: str, amount: int) -> None:
        lost[reason] += amount

    return Spool(folder, 2**63, count)


def _link(folder: Path, about: dict[str, Any], redis_url: str, blob_url: str | None) -> Link:
    try:
        settings = read_settings(
            {},
            run=about["run"],
            redis_url=redis_url,
            blob_url=blob_url,
            resume=about["resume"],
            tags=about["tags"],
        )
        return Link(settings, str(about["segment"]), about)
    except (KeyError, TypeError, ValueError) as error:
        raise HookError(f"{folder}/about.json does not describe a run: {error!r}") from error


def _first_row(spool: Spool) -> int:
    first = spool.first("weights")
    return first.first_row if first else 0


def _all(spool: Spool) -> Iterator[Outgoing]:
    """Weights before samples: they are small, and what people look at first."""
    for kind in KINDS:
        while outgoing := spool.first(kind):
            yield outgoing


def _post(link: Link, outgoing: Outgoing, lost: "Counter[str]") -> None:
    while True:
        try:
            link.post(outgoing.frame, outgoing.last_row, outgoing.last_step)
            return
        except BudgetUsedError:
            time.sleep(BEHIND_S)
        except WireError:
            lost[f"too_large.{outgoing.kind}"] += outgoing.amount
            return
