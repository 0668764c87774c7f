"""A loss or a gradient norm: its present level beside its usual size."""

from dataclasses import dataclass, field
from statistics import median

from monitor.turning.block import Block, Observation

#: Blocks whose median is the present level, so that spikes do not count.
RECENT_BLOCKS = 4
#: Weight of a block in the smoothed level, of which the largest so far is the usual size.
SMOOTH_RATE = 0.1
#: Blocks before the usual size means anything: the first losses of an LSGAN were 50 and 22.
WARM_BLOCKS = 16
#: Usual sizes that a level counts at most: a penalty that was just put on began at 3100 and was 4
#: a hundred iterations later.
BURST = 10.0
#: Larger values than this are held here: their differences stay finite.
LARGEST = 1e12


@dataclass(slots=True)
class Gauge:
    """One scalar in blocks of at most 25 values, by their medians; constant in size.

    Attributes:
        name: of the scalar.
        block: values that wait to become one observation.
        step: of the latest value, None before the first.
        count: blocks seen.
        smooth: slow mean of the level.
        usual: largest size of that mean so far, the usual size.
        recent: medians of the last blocks.
        floored: no value was ever negative. The losses of NSGAN, LSGAN and Hinge are 0 at the
            least, a critic's is not: its 0 means nothing.
    """

    name: str
    block: Block = field(default_factory=Block)
    step: int | None = None
    count: int = 0
    smooth: float = 0.0
    usual: float = 0.0
    recent: list[float] = field(default_factory=list)
    floored: bool = True

    def feed(
        self, step: int, value: float, epoch: float | None, batch_steps: float
    ) -> Observation | None:
        """Take one finite value; the observation of the block that it filled, if it did.

        Args:
            step: the latest one again changes nothing, an earlier one is a resume.
            value: as the trainer sent it.
            epoch: as the trainer said it.
            batch_steps: typical steps between sample batches, 0 while unknown.
        """
        if self.step is not None and step <= self.step:
            if step == self.step:
                return None
            self.block.drop()
            self.recent.clear()
        self.step = step
        self.floored = self.floored and value >= 0
        if not self.block.add(step, max(-LARGEST, min(LARGEST, value))):
            return None
        seen = self.block.close(step, epoch, batch_steps)
        self.count += 1
        self.recent = [*self.recent[1 - RECENT_BLOCKS :], seen.middle]
        if self.count >= WARM_BLOCKS:
            self.smooth = self._smoothed() if self.usual else self.level
            self.usual = max(self.usual, abs(self.smooth))
        return seen

    def _smoothed(self) -> float:
        bound = BURST * self.usual
        held = max(-bound, min(bound, self.level))
        return self.smooth + SMOOTH_RATE * (held - self.smooth)

    @property
    def level(self) -> float:
        """Median of the last blocks."""
        return median(self.recent)

    @property
    def share(self) -> float | None:
        """Size of the level as a share of the usual one; None while that is unknown."""
        if not self.usual or len(self.recent) < RECENT_BLOCKS:
            return None
        return abs(self.level) / self.usual

    @property
    def restless(self) -> float:
        """How far the loss has moved of late, as a share of its usual size; 1 while unknown."""
        if self.share is None:
            return 1.0
        spread = max(self.recent) - min(self.recent)
        return max(spread, abs(self.level - self.smooth)) / self.usual
