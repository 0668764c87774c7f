"""What the two calls hand to the sender."""

import math
from dataclasses import dataclass, field
from typing import Any

from trainer_hooks.batches import Chunk
from trainer_hooks.errors import HookError
from trainer_hooks.landing import Landing
from trainer_hooks.snapshot import Snapshot

#: Steps are sent as 64-bit numbers and drawn by browsers, which count exactly up to here.
MAX_STEP = 2**53 - 1
#: What a push weighs in the queue beside its arrays, bytes: its objects, a generous estimate.
PUSH_OVERHEAD_BYTES = 512
#: Likewise each scalar, and each failure beside its text.
SCALAR_BYTES, FAILURE_BYTES = 128, 256


@dataclass(frozen=True, slots=True)
class Moment:
    """When a push was made: step, epoch or None, Unix seconds."""

    step: int
    epoch: float | None
    time: float


@dataclass(frozen=True, slots=True)
class WeightsPush:
    """One `push_weights` call.

    Attributes:
        moment: when.
        networks: snapshot per network, those that were due.
        calls: per network, the number of the call that took it; adjacent calls make an angle.
        scalars: number, or 0-d array still on its device, by name.
        failures: (metric, reason) of what could not be taken.
    """

    moment: Moment
    networks: dict[str, Snapshot] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    scalars: dict[str, float | Landing] = field(default_factory=dict)
    failures: tuple[tuple[str, str], ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes it holds while it waits."""
        snapshots = sum(snapshot.values.nbytes for snapshot in self.networks.values())
        texts = sum(FAILURE_BYTES + len(reason) for _, reason in self.failures)
        return PUSH_OVERHEAD_BYTES + snapshots + SCALAR_BYTES * len(self.scalars) + texts

    def land(self) -> None:
        """Bring all of it to the host; waits for the device."""
        for snapshot in self.networks.values():
            snapshot.values.array()
        for name, value in self.scalars.items():
            if isinstance(value, Landing):
                self.scalars[name] = float(value.array())


@dataclass(frozen=True, slots=True)
class SamplesPush:
    """A chunk of a sample batch, or its end.

    Attributes:
        moment: when the batch was begun.
        batch: its number within the segment.
        chunk: samples, or None where only the end or a failure is told.
        last: nothing of this batch follows.
        failure: why the batch could not be made, else "".
    """

    moment: Moment
    batch: int
    chunk: Chunk | None
    last: bool = False
    failure: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes it holds while it waits."""
        return PUSH_OVERHEAD_BYTES + (self.chunk.nbytes if self.chunk else 0)

    def land(self) -> None:
        """Bring all of it to the host; waits for the device."""
        if self.chunk is not None:
            self.chunk.land()


def moment_of(step: Any, epoch: Any, now_s: float) -> Moment:
    """The checked moment of a push.

    Raises:
        HookError: the step is no whole number from 0 to MAX_STEP, or the epoch is not finite.
    """
    try:
        whole = int(step)
        if whole != step or not 0 <= whole <= MAX_STEP:
            raise ValueError(step)
    except (TypeError, ValueError, OverflowError) as error:
        raise HookError(
            f"step is {step!r}; expected a whole number from 0 to {MAX_STEP}"
        ) from error
    try:
        when = None if epoch is None else float(epoch)
    except (TypeError, ValueError, OverflowError):
        when = math.nan
    if when is not None and not math.isfinite(when):
        raise HookError(f"epoch is {epoch!r}; expected a finite number or None")
    return Moment(whole, when, now_s)
