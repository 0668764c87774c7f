"""Which alerts of the detector are over: what they tell of is no longer so."""

from collections.abc import Mapping
from typing import Any

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
    if not summary["metrics"] or not alert["metrics"]:
        return False
    metrics = summary["metrics"]
    if alert["kind"] == "nonfinite" and not set(alert["metrics"]) & metrics.keys():
        return not set(alert["metrics"]) & set(summary.get("broken", ()))
    return not any(_is_turned(metrics.get(name), alert) for name in alert["metrics"])


def _is_turned(metric: Mapping[str, Any] | None, alert: Mapping[str, Any]) -> bool:
    """Whether the metric is still where the alert says; a later turn has an alert of its own."""
    if metric is None or metric["nonfinite"]:
        return True
    turned = metric["turned"] if alert["kind"] != "nonfinite" else None
    return turned is not None and bool(alert["detected_step"] >= turned["step"])
