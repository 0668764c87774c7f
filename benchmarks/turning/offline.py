"""The bound: a segmentation that sees the whole run (ruptures, PELT; Killick et al., 2012)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

import numpy as np
import ruptures

from benchmarks.turning.fusing import Drift
from benchmarks.turning.rivals import NORMAL_MAD
from benchmarks.turning.streams import Stream

#: Observations of the shortest segment.
SHORTEST = 3
#: Costs of one more segment, in squared standard deviations.
PENALTIES = (20.0, 50.0, 120.0, 300.0)


@dataclass(frozen=True, slots=True)
class Offline:
    """PELT with a squared cost, in robust standard deviations of neighbours' differences.

    Attributes:
        penalty: of one more segment.
    """

    penalty: float
    name: str = "ruptures PELT, offline"

    @property
    def setting(self) -> str:
        """For people."""
        return f"penalty {self.penalty:.0f}"

    def drifts(self, stream: Stream) -> Iterator[Drift]:
        """Changes for the worse; it needs no time to detect them, having seen what came after."""
        first, values = stream.family.warm_up, stream.values
        judged = values[first:]
        if len(judged) < 2 * SHORTEST:
            return
        apart = [abs(b - a) for a, b in pairwise(judged)]
        sigma = max(stream.family.floor, median(apart) / NORMAL_MAD / 2**0.5)
        signal = np.array(judged)[:, None] / sigma
        found = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST).fit(signal)
        ends = found.predict(pen=self.penalty)
        starts = [0, *ends[:-1]]
        levels = [fmean(judged[a:b]) for a, b in zip(starts, ends, strict=True)]
        for number in range(1, len(levels)):
            if levels[number] - levels[number - 1] >= stream.family.supports:
                step = stream.observations[first + starts[number]].first_step
                yield Drift(stream.family.name, step, step)
