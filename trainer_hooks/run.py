"""Run: the two calls, bound to one training."""

import os
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from trainer_hooks.batches import Batch, checked_range
from trainer_hooks.collector import BatchCollector
from trainer_hooks.complaints import Complaints, harmless
from trainer_hooks.control import Control
from trainer_hooks.device import refuse_capture
from trainer_hooks.ending import at_exit, crash_of
from trainer_hooks.errors import NetworkError, message_of
from trainer_hooks.networks import Networks, Taken, gathered
from trainer_hooks.pieces import Pieces
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.pushes import WeightsPush, moment_of
from trainer_hooks.ranks import Rank
from trainer_hooks.sampling import Sampler
from trainer_hooks.scalars import Scalars
from trainer_hooks.schedule import SampleSchedule
from trainer_hooks.sender import Sender
from trainer_hooks.settings import Settings
from trainer_hooks.shards import Admission, Role
from trainer_hooks.steering import Steering

#: Why a run that samples once an epoch has no samples.
NO_EPOCH = "samples_every='epoch' samples nothing until push_samples is told epoch=…"

#: Longest wait of `start` for a name, seconds.
NAME_TIMEOUT_S = 1.0


class Run(Steering):
    """One training, watched. Made by `trainer_hooks.start`.

    Args:
        settings: of the run, checked.
        announced: whether it is begun before its first push, by `start`: then it registers at once
            where this process is rank 0 for certain, and waits up to NAME_TIMEOUT_S for its name.

    Attributes:
        settings: what `start` was asked for, checked.
        complaints: where errors of calls go.
    """

    def __init__(self, settings: Settings, *, announced: bool = False) -> None:
        self._finished = settings.mode == "disabled"
        self._lock = threading.RLock()
        self._queue = PushQueue(settings.budget_bytes)
        role = Role(Rank())
        waits = announced and role.speaks
        if waits and role.decide():
            self._queue.begin()
        self._sender = None if self._finished else Sender(settings, self._queue, announced=waits)
        super().__init__(
            settings,
            Complaints(self._queue, strict=settings.strict),
            role,
            self._sender.control if self._sender else Control(resumed=False),
        )
        self._networks = Networks(settings, self.complaints, lambda: self._queue.spent_s)
        self._scalars = Scalars(self.complaints)
        self._sampling = SampleSchedule(settings.samples_every)
        self._collector = BatchCollector(self._queue, settings.samples)
        self._pieces = Pieces(self._queue)
        self._forget_exit = None if self._finished else at_exit(self._end)
        if waits and self._sender:
            self._sender.wait_for_name(NAME_TIMEOUT_S)

    @property
    def id(self) -> str:
        """Name of the run, final once it is registered (see `trainer_hooks.start`).

        Before, it is the name that was free at `start`: one that asks for the same name and is
        registered sooner gets it. Where Redis did not answer, it is the name that was asked for.
        """
        return self._sender.run if self._sender else self.settings.run

    @property
    def active(self) -> bool:
        """False once finished, when disabled, and in a forked child (data-loader workers)."""
        return not self._finished and os.getpid() == self._pid

    @property
    def dropped(self) -> dict[str, int]:
        """What was lost, counted by reason (docs/architecture.md)."""
        return self._queue.dropped()

    @harmless
    def push_weights(
        self,
        step: int,
        networks: Mapping[str, object] | None = None,
        /,
        *,
        epoch: float | None = None,
        scalars: Mapping[str, Any] | None = None,
        shard: tuple[int, int] | None = None,
        **more: object,
    ) -> None:
        """Push the networks' weights as they are now, and scalars; see `trainer_hooks`."""
        admission = self._admit(shard)
        if admission is None:
            return
        self._control.call_listeners(self.complaints)
        moment = moment_of(step, epoch, time.time())
        # A member has no rows of its own to put anything else in.
        has_rows = self._role.decided and not self._role.member
        with self._lock:
            taken = self._take(networks, more, admission, moment.epoch)
            values = self._scalars.read(scalars or {}) if has_rows else {}
        failures = tuple(taken.failures) if has_rows else ()
        if taken.snapshots or failures or values:
            self._queue.put(WeightsPush(moment, taken.snapshots, taken.calls, values, failures))

    @harmless
    def push_samples(
        self,
        step: int,
        source: object,
        *,
        epoch: float | None = None,
        value_range: tuple[float, float] = (-1, 1),
        training: bool | None = None,
    ) -> None:
        """Push generated samples, or a callable that makes them when due; see `trainer_hooks`."""
        if self._admit() is None:
            return
        self._control.call_listeners(self.complaints)
        moment = moment_of(step, epoch, time.time())
        with self._lock:
            started_s = time.perf_counter()
            due = self._sampling.due(moment.step, moment.epoch, started_s, busy=self._busy())
            self._sampling.seen(moment.step, moment.epoch)
            if self._sampling.lacks_epoch:
                self.complaints.say("epoch", NO_EPOCH)
            if due:
                self._collector.begin(moment)
            try:
                if due or (self._collector.open and not callable(source)):
                    self._collect(source, checked_range(value_range), training, moment.step)
            except Exception as error:
                self._collector.end(failure=message_of(error))
                raise
            finally:
                if due:
                    now_s = time.perf_counter()
                    self._sampling.took(now_s - started_s, now_s)

    def finish(self) -> None:
        """Send what waits, for at most `flush_timeout_s`, and mark the run finished."""
        self._end("")

    def _end(self, crash: str) -> None:
        if self._sender is None or not self.active:
            return
        end_s = time.monotonic() + self.settings.flush_timeout_s
        # Another thread may be in a call that never ends: half of the time is for what was pushed.
        if self._lock.acquire(timeout=self.settings.flush_timeout_s / 2):
            try:
                self._collector.end()
                if self._role.ends_unheard:
                    self._queue.begin()
            finally:
                self._lock.release()
        try:
            self._let_go()
        except Exception as error:
            self.complaints.say("end", f"a checkpoint could not be let go: {message_of(error)}")
        finally:
            self._finished = True
            self.complaints.end()
            if self._forget_exit is not None:
                self._forget_exit()
            self._sender.close(max(0.0, end_s - time.monotonic()), crash)

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(crash_of(error))

    def _admit(self, shard: Any = None) -> Admission | None:
        """What a call does; asked at each, as ranks may be told after `start`."""
        assert self._sender is not None
        refuse_capture()
        with self._lock:
            undecided = not self._role.decided
            admission = self._role.admit(shard)
            if undecided and self._role.decided:
                self._sender.join(self._role.shard)
                self._queue.begin()
        return admission

    def _take(
        self, networks: Any, more: Mapping[str, object], admission: Admission, epoch: float | None
    ) -> Taken:
        try:
            named, problems = gathered(networks, more, admission.problem)
        except NetworkError as error:
            # The scalars of this push are good all the same.
            self.complaints.about(error, "push_weights")
            named, problems = dict(more), {}
        if self._ring is not None and self._ring.wants_networks:
            self._ring.networks.update(named)
        return self._networks.take(named, problems=problems, epoch=epoch, shard=admission.shard)

    def _collect(
        self, source: Any, value_range: tuple[float, float], training: bool | None, seed: int
    ) -> None:
        if not callable(source):
            self._collector.add(Batch(source, value_range))
            return

        def accept(piece: object) -> int:
            batch = Batch(piece, value_range)
            self._pieces.learn(batch)
            return self._collector.add(batch)

        sampler = Sampler(source, self._pieces, training=training, seed=seed)
        sampler.draw(self.settings.samples, accept)

    def _busy(self) -> bool:
        """Whether a sample batch is on its way or not evaluated yet."""
        assert self._sender is not None
        return self._collector.open or self._queue.holds_samples() or self._sender.samples_behind
