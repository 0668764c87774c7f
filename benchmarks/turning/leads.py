"""Early warnings on recorded runs: how long before the turning point, and how often for nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.turning.ways import Ours
from monitor.turning.case import Case
from monitor.turning.early import KINDS
from monitor.types import TurningPoint


@dataclass(frozen=True, slots=True)
class Lead:
    """How one kind of warning did.

    Attributes:
        kind: of warning.
        turned, healthy: runs with a turning point, and without.
        warned: of the former, those warned before or at its first possible step.
        lead: median of the sample batches from the first warning to that step; None without one.
        false: healthy runs with a warning.
        late: runs with a turning point whose first warning came after it.
    """

    kind: str
    turned: int
    healthy: int
    warned: int
    lead: float | None
    false: int
    late: int


def leads(ours: Ours, cases: Sequence[Case], sensitivity: str = "normal") -> list[Lead]:
    """Every kind of warning, then any of them."""
    first = [(case, firsts(ours.of(case, sensitivity))) for case in cases]
    return [lead(kind, [(c, told.get(kind)) for c, told in first]) for kind in (*KINDS, "any")]


def firsts(all_found: Iterable[TurningPoint]) -> dict[str, int]:
    """Step at which each kind of warning was first told."""
    told: dict[str, int] = {}
    for found in all_found:
        if found.kind in KINDS:
            told.setdefault(found.kind, found.detected_step)
            told.setdefault("any", found.detected_step)
    return told


def lead(kind: str, runs: Sequence[tuple[Case, int | None]]) -> Lead:
    """Compare the first warnings of one kind, None where there was none, with the truth."""
    ahead, late, false, turned = [], 0, 0, 0
    for case, step in runs:
        turned += case.turn is not None
        if step is None:
            continue
        if case.turn is None:
            false += 1
        elif step <= case.turn[0]:
            ahead.append((case.turn[0] - step) / case.spacing)
        else:
            late += 1
    typical = median(ahead) if ahead else None
    return Lead(kind, turned, len(runs) - turned, len(ahead), typical, false, late)
