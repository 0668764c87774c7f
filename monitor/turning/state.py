"""What the detector remembers, to and from JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from monitor.turning.baseline import Baseline
from monitor.turning.block import Block
from monitor.turning.change import Change, Turn
from monitor.turning.cusum import Cusum
from monitor.turning.event import Event
from monitor.turning.track import Track


def dump_track(track: Track) -> dict[str, Any]:
    """A track as plain numbers, strings, lists and mappings."""
    state = asdict(track)
    del state["family"]  # follows from the name
    return state


def load_track(state: Mapping[str, Any]) -> Track:
    """The track that `dump_track` saw."""
    turn = state["turn"]
    block = {**state["block"], "values": list(state["block"]["values"])}
    parts = {
        "block": Block(**block),
        "baseline": Baseline(**state["baseline"]),
        "cusum": Cusum(**state["cusum"]),
        "recent": list(state["recent"]),
        "suspicions": [Change(**change) for change in state["suspicions"]],
        "turn": None if turn is None else Turn(**{**turn, "change": Change(**turn["change"])}),
    }
    return Track(**{**state, **parts})


def dump_event(event: Event) -> dict[str, Any]:
    """An event as plain numbers, strings, lists and mappings."""
    return asdict(event)


def load_event(state: Mapping[str, Any]) -> Event:
    """The event that `dump_event` saw."""
    return Event(**{**state, "changes": [Change(**change) for change in state["changes"]]})
