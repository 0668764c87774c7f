"""What the detector remembers, to and from JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from monitor.turning.baseline import Baseline
from monitor.turning.block import Block
from monitor.turning.change import Change, Turn
from monitor.turning.condition import Condition
from monitor.turning.crest import Crest
from monitor.turning.cusum import Cusum
from monitor.turning.drift import Drift
from monitor.turning.early import EarlyWarnings
from monitor.turning.event import Event
from monitor.turning.gauge import Gauge
from monitor.turning.longrun import LongRun
from monitor.turning.recovery import Recoveries, Told
from monitor.turning.track import Track


def dump_track(track: Track) -> dict[str, Any]:
    """A track as plain numbers, strings, lists and mappings."""
    state = asdict(track)
    del state["family"], state["back"]  # follows from the name; of one observation only
    return state


def load_track(state: Mapping[str, Any]) -> Track:
    """The track that `dump_track` saw."""
    turn = state["turn"]
    parts = {
        "block": load_block(state["block"]),
        "baseline": Baseline(**state["baseline"]),
        "cusum": Cusum(**state["cusum"]),
        "crest": Crest(**{**state["crest"], "recent": list(state["crest"]["recent"])}),
        "recent": list(state["recent"]),
        "slow": LongRun(**state["slow"]),
        "suspicions": [Change(**change) for change in state["suspicions"]],
        "turn": None if turn is None else Turn(**{**turn, "change": Change(**turn["change"])}),
    }
    return Track(**{**state, **parts})


def load_block(state: Mapping[str, Any]) -> Block:
    """A block, apart from the state that it came from."""
    return Block(**{**state, "values": list(state["values"])})


def dump_event(event: Event) -> dict[str, Any]:
    """An event as plain numbers, strings, lists and mappings."""
    return asdict(event)


def load_event(state: Mapping[str, Any]) -> Event:
    """The event that `dump_event` saw."""
    return Event(**{**state, "changes": [Change(**change) for change in state["changes"]]})


def load_recoveries(state: Mapping[str, Any]) -> Recoveries:
    """What `asdict` saw."""
    return Recoveries(**{name: [_load_told(told) for told in state[name]] for name in state})


def _load_told(state: Mapping[str, Any]) -> Told:
    alerts = [(kind, step) for kind, step in state["alerts"]]
    backs = [(Change(**change), value) for change, value in state["backs"]]
    return Told(alerts, list(state["waiting"]), backs)


def dump_early(early: EarlyWarnings) -> dict[str, Any]:
    """Early warnings as plain numbers, strings, lists and mappings."""
    state = asdict(early)
    del state["factor"]  # follows from the sensitivity
    return state


def load_early(state: Mapping[str, Any], factor: float) -> EarlyWarnings:
    """What `dump_early` saw, with the factor of the sensitivity."""
    return EarlyWarnings(
        factor,
        {name: _load_gauge(gauge) for name, gauge in state["gauges"].items()},
        {name: Drift(**drift) for name, drift in state["drifts"].items()},
        {name: _load_condition(each) for name, each in state["conditions"].items()},
        {name: (count, first) for name, (count, first) in state.get("broken", {}).items()},
    )


def _load_gauge(state: Mapping[str, Any]) -> Gauge:
    parts = {"block": load_block(state["block"]), "recent": list(state["recent"])}
    return Gauge(**{**state, **parts})


def _load_condition(state: Mapping[str, Any]) -> Condition:
    return Condition(**{**state, "metrics": tuple(state["metrics"])})
