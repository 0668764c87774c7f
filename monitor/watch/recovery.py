"""Which alerts of the detector are over: what they tell of is no longer so."""

from collections.abc import Mapping
from typing import Any

from monitor.turning.early import LOSS
from monitor.turning.verdict import DETECTED, warning_holds


def is_over(alert: Mapping[str, Any], summary: Mapping[str, Any]) -> bool:
    """Whether every metric of an alert is back where it was, or the state warned of has ended.

    Kinds that the summary says nothing of are over when somebody says so.

    Args:
        alert: of the run, as it is stored.
        summary: as `TurningPointDetector.summary` gives it.
    """
    if alert["kind"] not in DETECTED:
        return not warning_holds(alert["kind"], alert["step"], summary)
    names = alert["metrics"]
    return bool(names) and not any(_is_turned(name, alert, summary) for name in names)


def _is_turned(name: str, alert: Mapping[str, Any], summary: Mapping[str, Any]) -> bool:
    """Whether the metric is still where the alert says; a later turn has an alert of its own."""
    if name.startswith(LOSS):
        return name in summary.get("broken", ())
    metric = summary["metrics"].get(name)
    if metric is None or metric["nonfinite"]:
        return True
    turned = metric["turned"] if alert["kind"] != "nonfinite" else None
    return turned is not None and bool(alert["detected_step"] >= turned["step"])
