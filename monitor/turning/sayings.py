"""What people read of warnings, and of what is over again."""

from collections.abc import Sequence
from math import exp

from monitor.turning.change import Change
from monitor.turning.gauge import Gauge
from monitor.types import TurningPoint

#: What an alert that is over was about.
NAMES = {
    "stability": "the jump of S",
    "quality": "the fall of Q",
    "diversity": "the fall of D",
    "turning_point": "the turning point",
    "mode_collapse": "the mode collapse",
}
#: How each warning's end is told.
ENDINGS = {
    "discriminator_saturated": "the discriminator is no longer saturated",
    "generator_starved": "the generator gets a gradient again",
    "oscillating": "no more jumps of S",
    "divergence": "the two networks no longer drift apart",
    "stalled": "the training moves again",
}


def since_step(step: int) -> str:
    """``since step 2,049``."""
    return f"since step {step:,}"


def ended(
    kind: str, told_step: int, step: int, detected_step: int, metrics: Sequence[str]
) -> TurningPoint:
    """A warning's state is over."""
    text = f"Recovered: {ENDINGS[kind]} since step {step:,} (warned of at step {told_step:,})."
    closes = ((kind, told_step),)
    return TurningPoint(step, detected_step, "recovered", tuple(metrics), "info", text, closes)


def recovered(
    backs: Sequence[tuple[Change, float]],
    closes: Sequence[tuple[str, int]],
    step: int,
    detected_step: int,
) -> TurningPoint:
    """What had turned is back.

    Args:
        backs: each metric's change and where it is now, in its unit.
        closes: kind and step of every alert that is over.
        step: since when.
        detected_step: of the point that settled it.
    """
    now = ", ".join(f"{change.metric} is back at {figure(change, at)}" for change, at in backs)
    kind, told_step = closes[-1]
    over = f"{NAMES[kind]} of step {told_step:,} is over"
    text = f"Recovered: {now} since step {step:,}; {over}."
    names = tuple(change.metric for change, _ in backs)
    return TurningPoint(step, detected_step, "recovered", names, "info", text, tuple(closes))


def finite(metric: str, broken_step: int, step: int) -> TurningPoint:
    """Values are finite again; `metric` is the last of those that were not."""
    text = (
        f"Recovered: {metric} is finite again since step {step:,} (it was not at {broken_step:,})."
    )
    closes = (("nonfinite", broken_step),)
    return TurningPoint(step, step, "recovered", (metric,), "info", text, closes)


def figure(change: Change, value: float) -> str:
    """A value of S in radians, of Q with two decimals, of D with one."""
    return {"S": f"{value:.2g} rad", "Q": f"{value:.2f}", "D": f"{value:.1f}"}[change.family]


def saturated(loss: Gauge, since: str) -> str:
    """``The discriminator is saturated since step 2,049: loss.D is 1.9% of its usual size ...``"""
    return (
        f"The discriminator is saturated {since}: {share_of(loss)}. "
        "An early warning: trainings have collapsed from here."
    )


def starved(gradient: Gauge, since: str) -> str:
    """``The generator is starved since step 3,063: grad.G is 1.2% of its usual size ...``"""
    return (
        f"The generator is starved {since}: {share_of(gradient)}. "
        "An early warning: it hardly learns any more."
    )


def share_of(gauge: Gauge) -> str:
    """``loss.D is 1.9% of its usual size (0.02 of 1.04)``."""
    if gauge.share is None:
        return gauge.name
    return (
        f"{gauge.name} is {gauge.share:.1%} of its usual size "
        f"({gauge.level:.2g} of {gauge.usual:.2g})"
    )


def apart(risen: str, up: float, other: str, down: float, since: str) -> str:
    """``S.D and S.G drift apart since step 10,787: S.D rose 2.9-fold while S.G fell by 12%``."""
    moved = exp(down)
    way = f"rose by {moved - 1:.0%}" if moved >= 1 else f"fell by {1 - moved:.0%}"
    return (
        f"{risen} and {other} drift apart {since}: {risen} rose "
        f"{exp(up):.1f}-fold while {other} {way}. A warning: one runs away from the other."
    )


def oscillating(metric: str, jumps: Sequence[Change], since: str) -> str:
    """``The training oscillates since step 1,926: S.D jumped 3 times (up to 21-fold, ...)``."""
    height = max(jump.after / jump.before for jump in jumps)
    return (
        f"The training oscillates {since}: {metric} jumped {len(jumps)} times (up to "
        f"{height:.1f}-fold, last at step {jumps[-1].onset:,}). "
        "An early warning: Q and D may follow."
    )


def stalled(network: str, pushes: int, losses: Sequence[str], since: str) -> str:
    """``The training stands still since step 1,001: S.G is 0 in 200 pushes while loss.G ...``"""
    names = " and ".join(losses)
    verb = "moves" if len(losses) == 1 else "move"
    return (
        f"The training stands still {since}: {network} is 0 (under a millionth of a "
        f"radian) in {pushes} pushes while {names} {verb} nowhere."
    )
