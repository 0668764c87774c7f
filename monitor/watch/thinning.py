"""Which pictures of a run to keep: evenly over its batches, and those around its alerts."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: Batches kept before and after the onset and the detection of an alert.
AROUND = 5
#: Most of the pictures that alerts may claim: the rest shows the run as a whole.
ALERTS_SHARE = 0.5
#: The gravest alerts claim theirs first.
_GRAVITY = {"critical": 0, "warning": 1}


def thinned(steps: Sequence[int], most: int, spared: set[int]) -> list[int]:
    """Indices to remove so that `most` are left, those that stay as even as those that went allow.

    Each time the one goes whose neighbours are closest to each other; the first and the last stay.

    Args:
        steps: (N,) in ascending order.
        most: to be left.
        spared: indices that stay in any case.
    """
    before, after = list(range(-1, len(steps) - 1)), list(range(1, len(steps) + 1))

    def gap(i: int) -> int:
        return steps[after[i]] - steps[before[i]]

    inner = [i for i in range(1, len(steps) - 1) if i not in spared]
    heap = [(gap(i), i) for i in inner]
    heapq.heapify(heap)
    removed: set[int] = set()
    while heap and len(steps) - len(removed) > most:
        size, i = heapq.heappop(heap)
        if size != gap(i):  # A neighbour went meanwhile.
            heapq.heappush(heap, (gap(i), i))
            continue
        removed.add(i)
        after[before[i]], before[after[i]] = after[i], before[i]
    return sorted(removed)


def around(steps: Sequence[int], alerts: Iterable[Mapping[str, Any]], most: int) -> set[int]:
    """Indices of the batches around alerts.

    Args:
        steps: (N,) in ascending order.
        alerts: of the run.
        most: indices that may be claimed; the gravest alerts come first, then the newest.
    """
    placed = [alert for alert in alerts if isinstance(alert.get("step"), int)]
    placed.sort(key=lambda alert: (_GRAVITY.get(str(alert.get("severity")), 2), -alert["step"]))
    claimed: set[int] = set()
    for alert in placed:
        found: set[int] = set()
        for step in (alert["step"], alert.get("detected_step")):
            if isinstance(step, int):
                found |= _near(steps, step)
        if len(claimed | found) > most:
            break
        claimed |= found
    return claimed


def _near(steps: Sequence[int], step: int) -> set[int]:
    """The last `AROUND` batches before `step` and as many from it on."""
    first = sum(each < step for each in steps)
    return set(range(max(0, first - AROUND), min(len(steps), first + AROUND)))
