"""Is a push due? Cheap decisions from steps and measured costs, made in the training thread."""

import math
from collections import deque
from collections.abc import Callable
from statistics import median

#: Costs and intervals remembered, in calls; the median of them is what a call costs now.
WINDOW_CALLS = 32
#: Calls before the first adaptation: first calls allocate and are no measure of the later ones.
WARMUP_CALLS = 8
#: Snapshots, and seconds, over which the work of our own threads is averaged: several of their
#: bursts, four a second.
BACKGROUND_SNAPSHOTS, BACKGROUND_S = 16, 2.0
#: ``samples_every="auto"``: sampling may take this share of the training's time (contract: 1%).
SAMPLING_SHARE = 0.01


class BackgroundCost:
    """What our threads spend for a snapshot, on average: they work in bursts, so a median is none.

    Args:
        spent_s: tells the CPU seconds that they have spent so far.

    Attributes:
        each_s: seconds a snapshot, as of the last window.
    """

    def __init__(self, spent_s: Callable[[], float]) -> None:
        self._spent_s = spent_s
        self._began_spent_s = self._began_s = 0.0
        self._snapshots = 0
        self.each_s = 0.0

    def took(self, now_s: float) -> None:
        """Count a snapshot at `now_s` (monotonic seconds)."""
        self._began_s = self._began_s or now_s
        self._snapshots += 1
        enough = self._snapshots >= BACKGROUND_SNAPSHOTS
        if enough and now_s - self._began_s >= BACKGROUND_S:
            spent_s = self._spent_s()
            self.each_s = (spent_s - self._began_spent_s) / self._snapshots
            self._began_spent_s, self._began_s, self._snapshots = spent_s, now_s, 0


class WeightSchedule:
    """Which calls take a snapshot: pairs of adjacent calls, so that the lag stays one call.

    Args:
        every: calls from one pair to the next; 1 takes every call.
        max_overhead: highest share of the training's time; the stride grows to keep it.
        background_s: tells what a snapshot costs outside the training thread, seconds.
    """

    def __init__(
        self, every: int, max_overhead: float, background_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._every = every
        self._max_overhead = max_overhead
        self._background_s = background_s
        self._phase = 0
        self._stride = every
        self._costs_s: deque[float] = deque(maxlen=WINDOW_CALLS)
        self._intervals_s: deque[float] = deque(maxlen=WINDOW_CALLS)
        self._last_call_s: float | None = None
        self._seen = 0

    @property
    def stride(self) -> int:
        """Calls from one pair of snapshots to the next, as it is now."""
        return self._stride

    def due(self, now_s: float) -> bool:
        """Count a call at `now_s` (monotonic seconds) and say whether it takes a snapshot."""
        if self._last_call_s is not None:
            self._intervals_s.append(now_s - self._last_call_s)
        self._last_call_s = now_s
        if self._phase >= self._stride:
            self._phase = 0
            self._stride = self._fitting_stride()
        self._phase += 1
        return self._phase <= 2

    def took(self, cost_s: float) -> None:
        """Report what the last snapshot cost the training thread, in seconds."""
        self._seen += 1
        if self._seen > WARMUP_CALLS:
            self._costs_s.append(cost_s)

    def _fitting_stride(self) -> int:
        if not self._costs_s or not self._intervals_s:
            return self._every
        allowed_s = self._max_overhead * median(self._intervals_s)
        cost_s = median(self._costs_s) + self._background_s()
        if cost_s <= allowed_s:
            return self._every
        return max(self._every, math.ceil(2 * cost_s / max(allowed_s, 1e-9)))


class EpochEnds:
    """Foretells the last call of an epoch: one is as long as that before it, mostly."""

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._calls = 0
        self._length = 0

    def see(self, epoch: float | None) -> bool:
        """Count a call; whether its epoch probably ends with it."""
        if epoch is None:
            return False
        if math.floor(epoch) != self._epoch:
            self._length = self._calls
            self._epoch, self._calls = math.floor(epoch), 0
        self._calls += 1
        return self._calls == self._length


class SampleSchedule:
    """Which calls start a sample batch.

    Args:
        every: steps between batches, ``"epoch"`` or ``"auto"``.
    """

    def __init__(self, every: int | str) -> None:
        self._every = every
        self._last_step: int | None = None
        self._last_epoch: float | None = None
        self._last_end_s = -math.inf
        self._cost_s = 0.0

    def due(self, step: int, epoch: float | None, now_s: float, *, busy: bool) -> bool:
        """Whether a batch starts at this call; `busy`: the last one is not evaluated yet."""
        if self._every == "auto":
            return not busy and now_s - self._last_end_s >= self._cost_s / SAMPLING_SHARE
        if self._every == "epoch":
            return epoch is not None and (
                self._last_epoch is None or math.floor(epoch) != math.floor(self._last_epoch)
            )
        assert isinstance(self._every, int)
        if self._last_step is None or step < self._last_step:
            return step % self._every == 0
        return step // self._every > self._last_step // self._every

    @property
    def lacks_epoch(self) -> bool:
        """Whether no call so far told the epoch that batches are due by."""
        return self._every == "epoch" and self._last_epoch is None

    def seen(self, step: int, epoch: float | None) -> None:
        """Remember a call, due or not."""
        self._last_step = step
        if epoch is not None:
            self._last_epoch = epoch

    def took(self, cost_s: float, now_s: float) -> None:
        """Report what a batch cost the training thread, in seconds."""
        self._cost_s = cost_s
        self._last_end_s = now_s
