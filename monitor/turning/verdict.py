"""One plain sentence about a run, made from the detector's state."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from monitor.turning.early import KINDS
from monitor.types import Alert

Level = Literal["healthy", "learning", "warning", "turned"]
Metrics = Mapping[str, Mapping[str, Any]]

#: What is said of a Q that has not risen.
LOW_QUALITY = "Q is too low to judge yet"
#: Alerts that the summary tells better itself.
DETECTED = frozenset(
    {"stability", "quality", "diversity", "turning_point", "mode_collapse", "nonfinite"}
)


def verdict(
    summary: Mapping[str, Any],
    alerts: Sequence[Alert] = (),
    *,
    ceiling: float | None = None,
    doubt: str = "",
) -> tuple[Level, str]:
    """Level and sentence for the list of runs.

    Args:
        summary: as `TurningPointDetector.summary` gives it.
        alerts: open alerts of the run; those that are not the detector's (a worker behind, say)
            make a warning if nothing graver is known.
        ceiling: most that D can be, in nats (ln of the number of modes).
        doubt: why a run that seems healthy, or whose Q is too low to judge, may be neither.
    Returns:
        ``turned``: two of S, Q and D have turned or the modes collapsed, and Q or D has not come
        back; or the weights are not finite. ``warning``: one metric has turned, or an alert is
        open. ``learning``: too few points to judge. Else ``healthy``.
    """
    metrics: Metrics = summary["metrics"]
    now = figures(metrics, ceiling)
    broken = [name for name, metric in metrics.items() if metric["nonfinite"]]
    broken += summary.get("broken", ())
    if any(name.startswith("S.") for name in broken):
        return "turned", f"Not finite: {', '.join(broken)}. The training has broken down."
    grave = turned(metrics, grave=True)
    if grave:
        return "turned", f"Turned at step {onset(metrics, grave):,}: {story(metrics, grave)}."
    still = [alert for alert in alerts if warning_holds(alert.kind, alert.step, summary)]
    worries = worried(metrics, broken, still)
    if worries:
        return "warning", f"Warning: {'; '.join(worries)}." + (f" Now {now}." if now else "")
    missing = awaited(metrics)
    if missing in ("", LOW_QUALITY):
        missing = doubt or missing
    if missing:
        return "learning", "Learning: " + "; ".join(part for part in (now, missing) if part) + "."
    return "healthy", f"Healthy: {now}."


def warning_holds(kind: str, step: int | None, summary: Mapping[str, Any]) -> bool:
    """Whether an early warning is not over; of other kinds the detector cannot tell: True.

    Args:
        kind: of the alert.
        step: that it names.
        summary: as `TurningPointDetector.summary` gives it.
    """
    if kind not in KINDS:
        return True
    known = summary.get("warnings", ())
    return any(each["kind"] == kind and each["step"] == step for each in known)


def figures(metrics: Metrics, ceiling: float | None) -> str:
    """``Q 0.91, D 3.1 of 4.6, both rising; S settling``; empty without a value."""
    samples, trends = [], []
    for name, decimals in (("Q", 2), ("D", 1)):
        metric = metrics.get(name)
        if metric is not None and metric["value"] is not None:
            bound = f" of {ceiling:.1f}" if name == "D" and ceiling is not None else ""
            samples.append(f"{name} {metric['value']:.{decimals}f}{bound}")
            trends.append(metric["trend"])
    if len(trends) == 2 and trends[0] == trends[1] != "steady":
        samples.append(f"both {trends[0]}")
    else:
        samples = [
            text if trend == "steady" else f"{text} {trend}"
            for text, trend in zip(samples, trends, strict=True)
        ]
    parts = (", ".join(samples), stability(metrics))
    return "; ".join(part for part in parts if part)


def stability(metrics: Metrics) -> str:
    """``S settling``, or network by network where they differ."""
    trends = {
        name: metric["trend"]
        for name, metric in metrics.items()
        if name.startswith("S.") and metric["value"] is not None
    }
    if len(set(trends.values())) == 1:
        return f"S {next(iter(trends.values()))}"
    return ", ".join(f"{name} {trend}" for name, trend in trends.items())


def turned(metrics: Metrics, *, grave: bool) -> list[str]:
    """Metrics that have turned and not come back, the one that began first in front.

    A grave turn is one of Q or D: S alone, when they have recovered, is a warning.
    """
    names = [name for name, metric in metrics.items() if metric["turned"] is not None]
    if grave:
        names = [n for n in names if not n.startswith("S.") and metrics[n]["turned"]["grave"]]
    return sorted(names, key=lambda name: int(metrics[name]["turned"]["step"]))


def onset(metrics: Metrics, names: Sequence[str]) -> int:
    """Step at which the first of these began."""
    return int(metrics[names[0]]["turned"]["step"])


def story(metrics: Metrics, names: Sequence[str]) -> str:
    """``D fell from 3.2 to 1.3, Q followed``."""
    first, *others = names
    turn = metrics[first]["turned"]
    if first.startswith("S."):
        text = f"{first} rose {turn['after'] / turn['before']:.1f}-fold"
    else:
        decimals = 2 if first == "Q" else 1
        text = f"{first} fell from {turn['before']:.{decimals}f} to {turn['after']:.{decimals}f}"
    return text + "".join(f", {name} followed" for name in others)


def worried(metrics: Metrics, broken: Sequence[str], alerts: Sequence[Alert]) -> list[str]:
    """What is wrong, but does not make a turning point."""
    worries = [f"{name} is not finite" for name in broken]
    names = turned(metrics, grave=False)
    if names:
        worries.append(f"{story(metrics, names)} at step {onset(metrics, names):,}")
    others = (alert for alert in alerts if alert.kind not in DETECTED and alert.severity != "info")
    return worries + [_in_short(alert) for alert in others]


def _in_short(alert: Alert) -> str:
    """An early warning without its figures, which the list of alerts has."""
    if alert.kind in KINDS and alert.step is not None:
        return f"{alert.kind.replace('_', ' ')} since step {alert.step:,}"
    return alert.message.rstrip(".")


def awaited(metrics: Metrics) -> str:
    """What is needed before a judgement; empty if nothing is."""
    waiting = [name for name in ("Q", "D") if name in metrics and not metrics[name]["judged"]]
    missing = max((int(metrics[name]["missing"]) for name in waiting), default=0)
    # Q has had its batches and D is judged without it: whatever computes Q finds nothing here.
    never_rose = waiting == ["Q"] and missing == 0 and "D" in metrics
    if never_rose or not waiting:
        judged = any(metric["judged"] for metric in metrics.values())
        return "" if judged else "too few points to judge"
    if "Q" in waiting and metrics["Q"]["missing"] == 0:
        return LOW_QUALITY
    return f"{missing} more sample {'batch' if missing == 1 else 'batches'} before it can be judged"
