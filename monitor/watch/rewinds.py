"""Rewinds: where the steps of a run went back."""

from typing import Any

#: Rewinds kept of a run and kind, the newest; more marks than that could not be told apart.
MOST_REWINDS = 100


class Rewinds:
    """Where steps went back within a segment, unless they did so again from further back.

    Args:
        state: what `state` returned earlier.

    Attributes:
        count: how often steps went back at all, also from one process to the next.
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {"last": (-1, -1), "found": []}
        self._segment: int = state["last"][0]
        self._step: int = state["last"][1]
        self._found: list[list[float]] = state["found"]
        self.count: int = state.get("count", 0)

    def see(self, segment: int, step: int, time: float, row: int) -> None:
        """Take the next row.

        Args:
            segment: ordinal of its segment.
            step: of the push; the same step again is no rewind.
            time: of the push, Unix seconds.
            row: its number in its segment.
        """
        if step < self._step:
            self.count += 1
            if segment == self._segment:
                # What it hides is gone from the curves, and the older marks with it.
                before = [found for found in self._found if found[1] < step]
                self._found = [*before, [segment, step, time, row]][-MOST_REWINDS:]
        self._segment, self._step = segment, step

    def state(self) -> dict[str, Any]:
        """`found` as [segment, step, time, row], oldest first, `last` as [segment, step], and
        `count`; JSON. (Of older states, `found` has no row.)"""
        return {"last": [self._segment, self._step], "found": self._found, "count": self.count}
