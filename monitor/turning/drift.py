"""Slow changes of S, which the baselines follow on purpose, and a network that stands still."""

from dataclasses import dataclass
from math import log

#: Weights of an observation in the mean of late (about three sample batches) and in the mean of
#: long (about 40): apart, they tell where S has gone over some thirty batches.
NEAR_RATE, FAR_RATE = 0.05, 0.003
#: Standard units by which a block may pull the mean of late: a jump of a few blocks is no drift.
PULL = 8.0
#: Observations before they can be told apart.
WARM_OBSERVATIONS = 120
#: Two networks drift apart when their ratio has moved by this factor while one of them rose by
#: that one. In every healthy mixture S.G sinks below S.D, but neither rises.
APART, RISEN = log(2.5), log(1.5)
#: They are together again below this factor.
TOGETHER_AGAIN = log(1.7)
#: Angles up to this are rounding, radians: a float32 weight is known to 6e-8 of itself.
STILL_RAD = 1e-6
#: Pushes in a row that make a standstill; a WGAN's generator rests for four or a few dozen.
STILL_PUSHES = 200


@dataclass(slots=True)
class Drift:
    """Where one network's S has been of late and for long, in log.

    Attributes:
        observed: step of the latest block taken.
        count: blocks taken.
        near: mean of late; jumps are clipped.
        far: mean of long.
        still: pushes in a row without a movement.
        still_since: step of the first of these.
        step: of the latest push, None before the first.
    """

    observed: int | None = None
    count: int = 0
    near: float = 0.0
    far: float = 0.0
    still: int = 0
    still_since: int = 0
    step: int | None = None

    def push(self, step: int, angle: float) -> None:
        """Take one angle in radians; a step that is not later than the latest is no new push."""
        if self.step is not None and step <= self.step:
            if step < self.step:
                self.still = 0
            self.step = step
            return
        self.step = step
        if angle > STILL_RAD:
            self.still = 0
            return
        self.still += 1
        if self.still == 1:
            self.still_since = step

    def take(self, step: int, value: float, sigma: float) -> None:
        """Take one block.

        Args:
            step: of its end.
            value: its high quantile, log.
            sigma: robust standard deviation.
        """
        self.observed = step
        self.count += 1
        if self.count == 1:
            self.near = self.far = value
            return
        pull = max(-PULL * sigma, min(PULL * sigma, value - self.near))
        self.near += max(NEAR_RATE, 1 / self.count) * pull
        self.far += max(FAR_RATE, 1 / self.count) * (self.near - self.far)

    @property
    def moved(self) -> float:
        """How far S has gone over some thirty batches, in log; 0 while unknown."""
        return self.near - self.far if self.count >= WARM_OBSERVATIONS else 0.0
