"""Metrics that are measured with something else from some batch on: their past is no measure."""

from collections.abc import Sequence
from typing import Any

from monitor.store.measures import Remeasured
from monitor.watch.reading import Moment

#: D of more samples is another D (docs/metrics.md shows its bias): a process that pushes batches
#: of more than so many times the size, or of less than that part of it, has another one.
OTHER_SIZE = 1.25


class Remeasurements:
    """Says at which batch a metric must be learnt anew.

    Args:
        state: what `state` returned earlier.

    Attributes:
        changes: of evaluators, as far as they are stored; whoever feeds brings them.
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {"place": (-1, -1), "samples": (-1, 0.0)}
        self._place: tuple[int, int] = tuple(state["place"])
        self._ordinal: int = state["samples"][0]
        self._samples: float = state["samples"][1]
        self.changes: Sequence[Remeasured] = ()

    def state(self) -> dict[str, Any]:
        """Place of the last batch, and the segment and size of the largest with a D; JSON."""
        return {"place": list(self._place), "samples": [self._ordinal, self._samples]}

    def at(self, ordinal: int, moment: Moment) -> list[str]:
        """The metrics that are measured with something else from this batch on.

        Args:
            ordinal: of its segment.
            moment: the batch; they come in order.
        """
        before, self._place = self._place, (ordinal, moment.row)
        found = {
            change.metric
            for change in self.changes
            if before < (change.ordinal, change.row) <= self._place
        }
        if moment.values.get("D") is not None and self._resized(ordinal, moment.samples):
            found.add("D")
        return sorted(found)

    def _resized(self, ordinal: int, samples: float) -> bool:
        """Whether a new process pushes batches of another size; within one, what is smaller is
        what was left over."""
        if ordinal == self._ordinal:
            self._samples = max(self._samples, samples)
            return False
        known, self._ordinal, self._samples = self._samples, ordinal, samples
        return known > 0 and not known / OTHER_SIZE <= samples <= known * OTHER_SIZE
