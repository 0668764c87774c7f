"""What people read: one plain sentence with the figures."""

from collections.abc import Sequence

from monitor.turning.change import Change
from monitor.turning.settings import HALF_NATS
from monitor.types import Severity, TurningPoint

#: The kind of two families together, and of D alone when half of the modes are gone.
TOGETHER, COLLAPSE = "turning_point", "mode_collapse"
#: Kinds that say that the training has turned; the others are warnings.
GRAVE = frozenset({TOGETHER, COLLAPSE})
#: From this ratio on a rise of S is told as "12-fold" rather than in per cent.
FOLD = 2.0
#: From this ratio on decimals say nothing.
TENFOLD = 10.0
#: Falls of D by at least this many nats need one decimal only; Q always has two.
COARSE_NATS = 0.3


def describe(
    kind: str, changes: Sequence[Change], ahead: Sequence[Change], detected_step: int
) -> TurningPoint:
    """The turning point that these changes make.

    Args:
        kind: as in `TurningPoint`.
        changes: at least one, the one that began first in front.
        ahead: jumps of S that were over before.
        detected_step: step of the point that gave it away. Where metrics are fed one after the
            other (a watcher catching up), a point of another metric may be later: that one then.
    """
    first, *others = changes
    detected_step = max(detected_step, *(change.step for change in changes))
    text = f"{moved(first)} ({first.units:.1f}σ) between steps {first.onset:,} and {first.step:,}"
    text += "".join(f"; {followed(change)}" for change in others)
    text += "".join(f"; {preceded(change)}" for change in ahead) + "."
    if kind in GRAVE and any(collapsed(change) for change in changes):
        text += " Mode collapse."
    severity: Severity = "critical" if kind in GRAVE else "warning"
    names = tuple(change.metric for change in (*changes, *ahead))
    return TurningPoint(first.onset, detected_step, kind, names, severity, text)


def describe_nonfinite(
    step: int, metrics: Sequence[str], *, seen_step: int | None = None
) -> TurningPoint:
    """Values that are NaN or infinite; of S that means weights that are.

    Args:
        step: since when.
        metrics: of S, Q and D, or a loss.
        seen_step: of the value that settled it, where that is a later one: a loss alone is a
            warning.
    """
    verb = "is" if len(metrics) == 1 else "are"
    text = f"{' and '.join(metrics)} {verb} NaN or infinite since step {step:,}."
    if seen_step is None:
        return TurningPoint(step, step, "nonfinite", tuple(metrics), "critical", text)
    return TurningPoint(step, seen_step, "nonfinite", tuple(metrics), "warning", text)


def collapsed(change: Change) -> bool:
    """Whether half of the effective modes or more are gone."""
    return change.family == "D" and change.before - change.after >= HALF_NATS


def moved(change: Change) -> str:
    """``D fell from 3.2 to 1.3``, ``S.D rose 43-fold``."""
    if change.family != "S":
        return f"{change.metric} fell from {' to '.join(figures(change))}"
    return f"{change.metric} rose {rise(change)}"


def followed(change: Change) -> str:
    """``Q followed (0.90 to 0.31)``, ``S.G followed (3.1-fold)``."""
    figure = rise(change) if change.family == "S" else " to ".join(figures(change))
    return f"{change.metric} followed ({figure})"


def preceded(change: Change) -> str:
    """``S.D had risen 7.0-fold at step 7,238``."""
    return f"{change.metric} had risen {rise(change)} at step {change.onset:,}"


def rise(change: Change) -> str:
    """How much S rose: ``43-fold``, ``by 60%``."""
    ratio = change.after / change.before
    if ratio < FOLD:
        return f"by {ratio - 1:.0%}"
    return f"{ratio:.0f}-fold" if ratio >= TENFOLD else f"{ratio:.1f}-fold"


def figures(change: Change) -> tuple[str, str]:
    """Both values of Q or D, with as many decimals as tell them apart."""
    coarse = change.family == "D" and abs(change.before - change.after) >= COARSE_NATS
    decimals = 1 if coarse else 2
    return f"{change.before:.{decimals}f}", f"{change.after:.{decimals}f}"
