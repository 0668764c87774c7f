"""Blocks of S: from one value an iteration to one observation every few iterations."""

from dataclasses import dataclass, field

#: Values in the longest block. Real jumps of S last 25 to 100 iterations, so a block must not
#: be longer than the shortest of them.
MAX_LENGTH = 25
#: Blocks that should fit between two sample batches: S then speaks before Q and D do.
PER_BATCH = 8
#: Without sample batches a block grows by one value for every so many seen.
VALUES_PER_GROWTH = 100
#: Values after which the rhythm is taken for known although no sample batch came. One value an
#: epoch or fewer is known at once.
VALUES_KNOWN = 500
#: The quantile that stands for a block. A mean or a median would throw short jumps away, the
#: maximum would follow every outlier.
HIGH_QUANTILE = 0.9


@dataclass(frozen=True, slots=True)
class Observation:
    """What a track judges: a value of Q or D, or a block of S.

    Attributes:
        first_step: step at which it began.
        step: step at which it ended.
        epoch: of that step, None if the trainer says none.
        value: in the metric's unit (S: natural logarithm); of a block its high quantile.
        worst: most extreme value within it, in the bad direction.
        alike: comparable with the observations before; False after a change of rhythm.
        middle: of a block its median.
    """

    first_step: int
    step: int
    epoch: float | None
    value: float
    worst: float
    alike: bool = True
    middle: float = 0.0


@dataclass(slots=True)
class Block:
    """The block being filled, and the rhythm of S that decides its length.

    Attributes:
        seen: values since the beginning.
        length: values that fill this block.
        first_step: step of its first value.
        values: those that came so far.
        paced: the rhythm is known, so that blocks have their final length or nearly so.
        last_step: where the block before ended, None at the beginning.
        last_epoch: of that step.
    """

    seen: int = 0
    length: int = 1
    first_step: int = 0
    values: list[float] = field(default_factory=list)
    paced: bool = False
    last_step: int | None = None
    last_epoch: float | None = None

    def add(self, step: int, value: float) -> bool:
        """Take a value; True when the block is full and `close` is due."""
        if not self.values:
            self.first_step = step
        self.values.append(value)
        self.seen += 1
        return len(self.values) >= self.length

    def close(self, step: int, epoch: float | None, batch_steps: float) -> Observation:
        """The full block as one observation; the next one starts empty.

        Args:
            step: of its last value.
            epoch: of that value.
            batch_steps: typical steps between sample batches, 0 while unknown.
        """
        ordered = sorted(self.values)
        last = len(ordered) - 1
        high, top = ordered[int(HIGH_QUANTILE * last + 0.5)], ordered[last]
        alike = self._pace(step, epoch, batch_steps)
        self.values, self.last_step, self.last_epoch = [], step, epoch
        middle = ordered[last // 2]
        return Observation(self.first_step, step, epoch, high, top, alike, middle)

    def drop(self) -> None:
        """Forget the unfinished block: the run went back to an earlier step."""
        self.values, self.last_step, self.last_epoch = [], None, None

    def _pace(self, step: int, epoch: float | None, batch_steps: float) -> bool:
        """Choose the next block's length; False if it differs much from this one's."""
        length, paced = self.seen // VALUES_PER_GROWTH, self.seen >= VALUES_KNOWN
        if self.last_step is not None:
            per_step = len(self.values) / (step - self.last_step)
            if batch_steps:
                length, paced = round(batch_steps * per_step / PER_BATCH), True
            elif epoch is not None and epoch - (self.last_epoch or epoch) >= len(self.values):
                length, paced = 1, True
        known, previous = self.paced, self.length
        self.paced, self.length = paced or known, min(MAX_LENGTH, max(1, length))
        return known == self.paced and previous / 2 < self.length < previous * 2
