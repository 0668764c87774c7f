"""Which points of a run are seen, by the words of the contract: one point at a time, no columns."""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Stored(NamedTuple):
    """One stored point: its segment's number, its row there, its step, anything else."""

    segment: int
    row: int
    step: int
    point: Any


def visible(points: Iterable[Stored], first_steps: dict[int, int]) -> list[tuple[int, Any]]:
    """Steps and points that are seen, by step.

    Args:
        points: of one metric, in any order.
        first_steps: lowest step of each segment that has a row of any metric.
    """
    seen: dict[int, Any] = {}
    for segment, _, step, point in sorted(points, key=lambda each: (each.segment, each.row)):
        if any(other > segment and step >= first for other, first in first_steps.items()):
            continue  # A newer segment hides it.
        # Newer rows hide older ones from their first step on.
        seen = {known: old for known, old in seen.items() if known < step}
        seen[step] = point
    return sorted(seen.items())
