"""From changes of single metrics to alarms, by the same two rules for every rival."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from monitor.turning.case import Case
from monitor.turning.evaluate import Alarm
from monitor.turning.settings import WINDOW

#: Two of S, Q and D within ten sample batches, or any one.
Rule = Literal["2 of 3", "any"]
RULES: tuple[Rule, ...] = ("2 of 3", "any")


@dataclass(frozen=True, slots=True)
class Drift:
    """A change for the worse of one metric.

    Attributes:
        family: ``S``, ``Q`` or ``D``.
        step: where it began, as the rival says.
        detected_step: when it said so.
    """

    family: str
    step: int
    detected_step: int


def fuse(case: Case, drifts: Sequence[Drift], rule: Rule) -> list[Alarm]:
    """Alarms of a run, in order. Where a run has one family only, any drift is one."""
    needed = 2 if rule == "2 of 3" and len(case.families) > 1 else 1
    ordered = sorted(drifts, key=lambda drift: drift.detected_step)
    alarms = []
    for drift in ordered:
        earliest = drift.detected_step - WINDOW * case.spacing
        near = [d for d in ordered if earliest <= d.detected_step <= drift.detected_step]
        if len({each.family for each in near}) >= needed:
            alarms.append(Alarm(min(each.step for each in near), drift.detected_step))
    return alarms
