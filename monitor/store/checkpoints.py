"""Checkpoints as trainers tell of them: where those from before a turning point lie.

They lie on the trainer's disk. What is told is only shown: nobody opens it on our side.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from monitor.store.segments import Segment

#: Longest host name and path that are shown, characters: what systems allow.
MOST_HOST, MOST_PATH = 255, 4096
#: What reading something that is no such thing raises.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True, slots=True)
class Pinned:
    """The newest checkpoint from before a change.

    Attributes:
        step: after which it was taken.
        path: on the trainer's host, as the trainer told.
        host: name of that machine.
        pinned: whether the trainer keeps it; False: the trainer had ended when the alert came, and
            left it.
        alert: id of the alert that it is for.
    """

    step: int
    path: str
    host: str
    pinned: bool
    alert: str

    def as_dict(self) -> dict[str, Any]:
        """JSON form, as REST carries it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Told:
    """One checkpoint as told; `kinds` are those of alerts that pin one there."""

    step: int
    path: str
    host: str
    hidden: bool
    alerts: tuple[str, ...]
    kinds: tuple[str, ...]


def parse_pinned(
    meta: Mapping[str, str],
    segments: Sequence[Segment],
    alerts: Iterable[Mapping[str, Any]],
    *,
    ended: bool,
) -> list[Pinned]:
    """For each alert that has one, its checkpoint; in the order of the alerts.

    Args:
        meta: what the trainer said of the run.
        segments: of the run; what a later one tells of a folder replaces what earlier ones did.
        alerts: of the run, oldest first.
        ended: whether no process of the run lives that might remove what is not pinned.
    """
    told = _all_told(meta, [segment.id for segment in segments])
    found = []
    for alert in alerts:
        name, onset = str(alert.get("id")), alert.get("step")
        if not isinstance(onset, int):
            continue
        pin = next((each for each in told if name in each.alerts), None)
        one = pin or (_before(told, alert, onset) if ended else None)
        if one is not None:
            found.append(Pinned(one.step, one.path, one.host, one is pin, name))
    return found


def _before(told: list[_Told], alert: Mapping[str, Any], onset: int) -> _Told | None:
    """What a trainer that lived would have pinned."""
    kept = [each for each in told if alert.get("kind") in each.kinds and not each.hidden]
    return next((each for each in reversed(kept) if each.step < onset), None)


def _all_told(meta: Mapping[str, str], segments: list[str]) -> list[_Told]:
    """Of all folders, as their newest process told; the newest folder's last."""
    folders: dict[tuple[str, str], list[_Told]] = {}
    for segment in segments:
        # Whoever reaches Redis may have written it: what is no such thing is not there.
        with contextlib.suppress(*UNREADABLE):
            ring = json.loads(meta[f"checkpoints:{segment}"])
            found = [_told(ring, each) for each in ring["checkpoints"]]
            place = str(ring["host"]), str(ring["folder"])
            folders.pop(place, None)
            folders[place] = found
    return [each for found in folders.values() for each in found]


def _told(ring: Mapping[str, Any], each: Mapping[str, Any]) -> _Told:
    return _Told(
        step=int(each["step"]),
        path=_shown(each["path"], MOST_PATH),
        host=_shown(ring["host"], MOST_HOST),
        hidden=bool(each["hidden"]),
        alerts=tuple(map(str, each["alerts"])),
        kinds=tuple(map(str, ring["kinds"])),
    )


def _shown(value: Any, most: int) -> str:
    """As text that can be sent on: JSON may hold halves of characters."""
    return str(value)[:most].encode(errors="replace").decode()
