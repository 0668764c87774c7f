"""What waits between the training thread and the sender: a queue with a byte budget."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from trainer_hooks.batches import Chunk
from trainer_hooks.snapshot import Snapshot

#: What a push weighs in the queue beside its arrays, bytes: its objects, a generous estimate.
PUSH_OVERHEAD_BYTES = 512
#: Likewise each scalar.
SCALAR_BYTES = 128


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
        scalars: number, or 0-d tensor still on its device, by name.
        failures: (metric, reason) of what could not be taken.
    """

    moment: Moment
    networks: dict[str, Snapshot] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    scalars: dict[str, Any] = field(default_factory=dict)
    failures: tuple[tuple[str, str], ...] = ()

    @property
    def nbytes(self) -> int:
        """Host bytes it holds while it waits."""
        snapshots = sum(snapshot.nbytes for snapshot in self.networks.values())
        return PUSH_OVERHEAD_BYTES + snapshots + SCALAR_BYTES * len(self.scalars)


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
        """Host bytes it holds while it waits."""
        return PUSH_OVERHEAD_BYTES + (self.chunk.nbytes if self.chunk else 0)


Push = TypeVar("Push", WeightsPush, SamplesPush)


class Lane(Generic[Push]):
    """Pushes of one kind in order, each with a running number that tells its age."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, Push]] = deque()

    @property
    def oldest(self) -> float:
        """Running number of the oldest push, infinite if there is none."""
        return self.waiting[0][0] if self.waiting else float("inf")


class PushQueue:
    """Bounded by bytes over both lanes; what does not fit drops the oldest, counted by reason.

    Its lock guards a few deque operations and is never held across input or output.

    Args:
        budget_bytes: most bytes that wait here.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._number = 0
        self._weights: Lane[WeightsPush] = Lane()
        self._samples: Lane[SamplesPush] = Lane()
        self.dropped: Counter[str] = Counter()
        self.filled = threading.Event()

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait now."""
        return self._waiting_bytes

    def fits(self, nbytes: int) -> bool:
        """Whether `nbytes` more would fit without a drop."""
        return self._waiting_bytes + nbytes <= self._budget_bytes

    def put(self, push: WeightsPush | SamplesPush) -> None:
        """Add a push; never waits."""
        with self._lock:
            self._number += 1
            if isinstance(push, WeightsPush):
                self._weights.waiting.append((self._number, push))
            else:
                self._samples.waiting.append((self._number, push))
            self._waiting_bytes += push.nbytes
            while self._waiting_bytes > self._budget_bytes:
                self._drop_oldest()
        self.filled.set()

    def take_weights(self, most_rows: int, most_bytes: int) -> list[WeightsPush]:
        """The oldest weights pushes, at least one if any waits."""
        taken: list[WeightsPush] = []
        size = 0
        with self._lock:
            waiting = self._weights.waiting
            while waiting and len(taken) < most_rows:
                size += waiting[0][1].nbytes
                if taken and size > most_bytes:
                    break
                taken.append(waiting.popleft()[1])
            self._waiting_bytes -= sum(push.nbytes for push in taken)
        return taken

    def take_samples(self) -> SamplesPush | None:
        """The oldest sample push, or None."""
        with self._lock:
            if not self._samples.waiting:
                return None
            push = self._samples.waiting.popleft()[1]
            self._waiting_bytes -= push.nbytes
            return push

    def count_dropped(self, reason: str, amount: int = 1) -> None:
        """Count a loss."""
        with self._lock:
            self.dropped[reason] += amount

    def clear(self, reason: str) -> None:
        """Drop everything that waits."""
        with self._lock:
            while self._weights.waiting or self._samples.waiting:
                self._drop_oldest(reason)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._weights.waiting and not self._samples.waiting

    def _drop_oldest(self, reason: str = "budget") -> None:
        if self._weights.oldest < self._samples.oldest:
            push: WeightsPush | SamplesPush = self._weights.waiting.popleft()[1]
            self.dropped[f"{reason}.weights"] += 1
        else:
            push = self._samples.waiting.popleft()[1]
            self.dropped[f"{reason}.samples"] += push.chunk.samples if push.chunk else 0
        self._waiting_bytes -= push.nbytes
