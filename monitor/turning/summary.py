"""Where one metric stands: level, trend, warm-up, turned or not."""

from math import exp
from statistics import fmean
from typing import Any

from monitor.turning.baseline import RECENT
from monitor.turning.settings import ALIVE_QUALITY
from monitor.turning.track import Track

#: Standard units between the recent level and the long-run mean that make a trend; the mean of
#: four values strays by half a unit.
TREND_UNITS = 1.5


def summarise(track: Track) -> dict[str, Any]:
    """State of one metric in its own unit, fit for JSON.

    Returns:
        ``step`` and ``value``: the latest point. ``level``: recent mean (of S: of its high
        quantile), null before the first observation. ``trend``: ``rising``, ``falling``,
        ``steady``; of S ``settling`` instead of falling. ``judged``: the warm-up is over.
        ``missing``: observations still needed for that. ``nonfinite``: the latest value was NaN
        or infinite. ``turned``: null, or ``step`` (onset), ``before``, ``after`` (the recent
        level; of S the peak) and ``grave`` (part of a turning point or a mode collapse).
    """
    level = fmean(track.recent[-RECENT:]) if track.recent else None
    logarithmic = track.family.bad > 0
    if level is not None and logarithmic:
        level = exp(level)
    turn = track.turn
    turned = turn and {
        "step": turn.change.onset,
        "before": turn.change.before,
        "after": turn.change.after if logarithmic else level,
        "grave": turn.grave,
    }
    return {
        "step": track.step,
        "value": track.value,
        "level": level,
        "trend": trend(track),
        "judged": track.since is not None,
        "missing": missing(track),
        "nonfinite": track.nonfinite,
        "turned": turned,
    }


def missing(track: Track) -> int:
    """Observations still needed before the first judgement; 0 if only faces are missing."""
    if track.since is not None:
        return 0
    needed = track.family.warm_up + 1 - track.baseline.count
    faceless = track.metric == "Q" and track.baseline.level < ALIVE_QUALITY
    return max(0 if faceless else 1, needed)


def trend(track: Track) -> str:
    """Where the metric is going, recent values against its long-run mean."""
    if not track.recent:
        return "steady"
    ahead = (fmean(track.recent) - track.slow.mean) / track.baseline.sigma(track.family)
    if abs(ahead) < TREND_UNITS:
        return "steady"
    if ahead > 0:
        return "rising"
    return "settling" if track.family.bad > 0 else "falling"
