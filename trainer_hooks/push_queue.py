"""What waits between the training thread and the sender: a queue with a byte budget."""

import itertools
import threading
from collections import Counter, deque
from typing import Generic, TypeVar

from trainer_hooks.pushes import SamplesPush, WeightsPush

Push = TypeVar("Push", WeightsPush, SamplesPush)


class Lane(Generic[Push]):
    """Pushes of one kind in order, each with a running number that tells its age, and its bytes."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[int, int, Push]] = deque()

    @property
    def oldest(self) -> float:
        """Running number of the oldest push, infinite if there is none."""
        return self.waiting[0][0] if self.waiting else float("inf")

    def since(self, number: int) -> list[Push]:
        """The pushes that came after running number `number`, newest first."""
        newer = itertools.takewhile(lambda entry: entry[0] > number, reversed(self.waiting))
        return [push for _, _, push in newer]


class PushQueue:
    """Bounded by bytes over both lanes; what does not fit drops the oldest, counted by reason.

    Its lock guards a few deque operations and is never held across input or output. It is
    reentrant: a signal handler may put, too, amid another put. Putting wakes nobody: on a machine
    whose cores are busy, whoever was woken would take the training's turn.

    Args:
        budget_bytes: most bytes that wait here or are held elsewhere on the way (see `hold`).

    Attributes:
        begun: whether the run is this process's to register. Most ranks of a distributed training
            have none, and which they are the first call may tell.
        spent_s: CPU time of our threads so far, seconds.
        cut: number of the newest sample batch whose end was dropped, -1 for none: nothing of it
            comes any more.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.begun = False
        self.spent_s = 0.0
        self.cut = -1
        self._lock = threading.RLock()
        self._waiting_bytes = 0
        self._held: dict[str, int] = {}
        self._number = 0
        self._settled = 0
        self._weights: Lane[WeightsPush] = Lane()
        self._samples: Lane[SamplesPush] = Lane()
        self._dropped: Counter[str] = Counter()

    @property
    def used_bytes(self) -> int:
        """Bytes that wait or are held elsewhere now."""
        return self._waiting_bytes + sum(self._held.values())

    @property
    def free_bytes(self) -> int:
        """Bytes that may still be put without a loss."""
        with self._lock:
            return self.budget_bytes - self.used_bytes

    def dropped(self) -> dict[str, int]:
        """What was lost so far, by reason."""
        with self._lock:
            return dict(self._dropped)

    def put(self, push: WeightsPush | SamplesPush) -> None:
        """Add a push; never waits."""
        nbytes = push.nbytes
        with self._lock:
            self._number += 1
            if isinstance(push, WeightsPush):
                self._weights.waiting.append((self._number, nbytes, push))
            else:
                self._samples.waiting.append((self._number, nbytes, push))
            self._waiting_bytes += nbytes
            self._shrink()

    def begin(self) -> None:
        """Say that the run is this process's to register."""
        self.begun = True

    def spend(self, seconds: float) -> None:
        """Add to the CPU time that our threads took for what was pushed."""
        with self._lock:
            self.spent_s += seconds

    def hold(self, owner: str, nbytes: int) -> None:
        """Say that `owner` holds `nbytes` outside the queue; the oldest pushes make room for it."""
        with self._lock:
            self._held[owner] = nbytes
            self._shrink()

    def make_room(self, nbytes: int, batch: int) -> bool:
        """Drop what is older than sample batch `batch` until `nbytes` fit; whether they do now."""
        with self._lock:
            while self.used_bytes + nbytes > self.budget_bytes:
                if self.empty() or self._oldest_is_of(batch):
                    return False
                self._drop_oldest("budget")
        return True

    def take_weights(self, most_rows: int, most_bytes: int) -> tuple[list[WeightsPush], bool]:
        """The oldest weights pushes, at least one if any waits, and whether more were waiting."""
        taken: list[WeightsPush] = []
        size = 0
        with self._lock:
            waiting = self._weights.waiting
            while waiting and len(taken) < most_rows:
                if taken and size + waiting[0][1] > most_bytes:
                    break
                _, nbytes, push = waiting.popleft()
                size += nbytes
                taken.append(push)
            self._waiting_bytes -= size
            return taken, bool(waiting)

    def take_samples(self) -> SamplesPush | None:
        """The oldest sample push, or None."""
        with self._lock:
            if not self._samples.waiting:
                return None
            _, nbytes, push = self._samples.waiting.popleft()
            self._waiting_bytes -= nbytes
            return push

    def settle(self) -> None:
        """Bring what waits from its device to the host; only the sender calls it, it waits."""
        with self._lock:
            fresh: list[WeightsPush | SamplesPush]
            fresh = [*self._weights.since(self._settled), *self._samples.since(self._settled)]
            self._settled = self._number
        while fresh:
            fresh.pop().land()

    def count_dropped(self, reason: str, amount: int = 1) -> None:
        """Count a loss."""
        if amount:
            with self._lock:
                self._dropped[reason] += amount

    def clear(self, reason: str) -> None:
        """Drop everything that waits."""
        with self._lock:
            while not self.empty():
                self._drop_oldest(reason)

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._weights.waiting and not self._samples.waiting

    def holds_samples(self) -> bool:
        """Whether any part of a sample batch waits."""
        return bool(self._samples.waiting)

    def _shrink(self) -> None:
        while self.used_bytes > self.budget_bytes and not self.empty():
            self._drop_oldest("budget")

    def _oldest_is_of(self, batch: int) -> bool:
        samples_first = self._samples.oldest < self._weights.oldest
        return samples_first and self._samples.waiting[0][2].batch == batch

    def _drop_oldest(self, reason: str) -> None:
        if self._weights.oldest < self._samples.oldest:
            nbytes = self._weights.waiting.popleft()[1]
            self._dropped[f"{reason}.weights"] += 1
        else:
            _, nbytes, push = self._samples.waiting.popleft()
            if push.chunk is not None:
                self._dropped[f"{reason}.samples"] += push.chunk.samples
            if push.last:
                self.cut = push.batch
        self._waiting_bytes -= nbytes
