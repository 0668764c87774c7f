"""The whole of a metric from outlines of its chunks, less what newer rows hide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from monitor.server.chunks import Outline
from monitor.store.columns import Place
from monitor.store.series import Series, joined, newest_of_each_step


@dataclass(frozen=True, slots=True)
class Part:
    """A chunk of one metric.

    Attributes:
        place, chunk, edition: which, and how often it was written.
        outline: of all its points.
        below: step from which newer rows hide it.
    """

    place: Place
    chunk: int
    edition: int
    outline: Outline
    below: float

    @property
    def whole(self) -> bool:
        """Whether it shows just as it is."""
        return self.outline.ascending and self.outline.highest < self.below

    def visible(self, series: Series) -> Series:
        """What shows of its points."""
        if self.whole:
            return series
        newest = newest_of_each_step(series)
        return newest.take(newest.step < self.below)


class Shape:
    """A metric over all of a run.

    A row is hidden by every later one of the metric with the same or a lower step.

    Args:
        parts: newest first, each knowing what newer segments hide of it.
        read: all points of a part.
    """

    def __init__(self, parts: Sequence[Part], read: Callable[[Part], Series]) -> None:
        self._read = read
        left = []
        lowest = np.inf
        for part in parts:
            left.append(replace(part, below=lowest) if lowest < part.below else part)
            lowest = min(lowest, part.outline.lowest)
        self._parts = [part for part in reversed(left) if part.outline.size]
        self._lowest = np.array([part.outline.lowest for part in self._parts])
        self._highest = np.array([part.outline.highest for part in self._parts])

    @cached_property
    def points(self) -> Series:
        """Enough to draw the whole: of parts that show in part, all that shows."""
        return joined(
            [
                part.outline.points if part.whole else part.visible(self._read(part))
                for part in self._parts
            ]
        )

    def reaching(self, first: int | None, last: int | None) -> list[Part]:
        """Parts that may have points with first ≤ step ≤ last, oldest first."""
        after = self._highest >= (-np.inf if first is None else first)
        before = self._lowest <= (np.inf if last is None else last)
        return [self._parts[i] for i in np.flatnonzero(after & before)]
