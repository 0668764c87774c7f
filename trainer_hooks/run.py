"""Run: the two calls, bound to one training."""

import atexit
import contextlib
import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Concatenate, ParamSpec

from trainer_hooks.batches import checked_range, prepare
from trainer_hooks.collector import BatchCollector
from trainer_hooks.errors import BadNameError, HookError, NetworkError, SamplesError
from trainer_hooks.keys import MAX_METRIC_NAME, MAX_RUN_NAME, check_name
from trainer_hooks.pushes import Moment, PushQueue, WeightsPush
from trainer_hooks.sampling import Sampler
from trainer_hooks.schedule import SampleSchedule, WeightSchedule
from trainer_hooks.sender import Sender
from trainer_hooks.settings import Settings
from trainer_hooks.snapshot import Snapshot, Snapshots

#: Metrics that the monitor computes: a scalar of such a name would be taken for one of them.
OWN_METRICS = ("S", "Q", "D")
#: Steps are sent as 64-bit numbers and drawn by browsers, which count exactly up to here.
MAX_STEP = 2**53 - 1

log = logging.getLogger("trainer_hooks")
P = ParamSpec("P")


def _harmless(
    method: Callable[Concatenate["Run", P], None],
) -> Callable[Concatenate["Run", P], None]:
    """Never raise into the trainer, unless `strict`; do nothing when the run is not active."""

    @functools.wraps(method)
    def wrapped(self: "Run", /, *args: P.args, **kwargs: P.kwargs) -> None:
        if not self.active:
            return
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            if self.settings.strict:
                raise
            self._count(_reason(error), f"{method.__name__}: {error}")

    return wrapped


def _reason(error: Exception) -> str:
    if isinstance(error, BadNameError):
        return "bad_name"
    if isinstance(error, NetworkError):
        return "bad_network"
    return "bad_samples" if isinstance(error, SamplesError) else "bad_call"


class Run:
    """One training, watched. Made by `trainer_hooks.start`.

    Attributes:
        settings: what `start` was asked for, checked.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._pid = os.getpid()
        self._finished = settings.mode == "disabled"
        self._lock = threading.RLock()
        self._warned: set[str] = set()
        self._heard_alerts: set[str] = set()
        if self._finished:
            return
        self._queue = PushQueue(settings.budget_bytes)
        self._snapshots = Snapshots(settings.weights)
        self._schedules: dict[str, WeightSchedule] = {}
        self._calls: dict[str, int] = {}
        self._sampling = SampleSchedule(settings.samples_every)
        self._collector = BatchCollector(self._queue, settings.samples)
        self._sender = Sender(settings, self._queue)
        atexit.register(self.finish)

    @property
    def id(self) -> str:
        """Name of the run; gets a suffix on registration if the name is taken."""
        return self.settings.run if self.settings.mode == "disabled" else self._sender.run

    @property
    def active(self) -> bool:
        """False once finished, when disabled, and in a forked child (data-loader workers)."""
        return not self._finished and os.getpid() == self._pid

    @property
    def dropped(self) -> dict[str, int]:
        """What was lost, counted by reason (docs/architecture.md)."""
        return {} if self.settings.mode == "disabled" else dict(self._queue.dropped)

    @_harmless
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
        if shard is not None and tuple(shard) != (0, 1):
            raise NetworkError(f"shard={shard!r}: sharded networks are not supported yet")
        moment = _moment(step, epoch)
        named = _named_networks(networks, more)
        with self._lock:
            taken, calls, failures = self._take(named)
            values = self._scalars(scalars or {})
        if taken or values or failures:
            self._queue.put(WeightsPush(moment, taken, calls, values, tuple(failures)))

    @_harmless
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
        bounds = checked_range(value_range)
        moment = _moment(step, epoch)
        with self._lock:
            started = time.perf_counter()
            busy = self._collector.batches - self._sender.batches_done > 0
            due = self._sampling.due(moment.step, moment.epoch, started, worker_busy=busy)
            self._sampling.seen(moment.step, moment.epoch)
            if due:
                self._collector.begin(moment)
            if callable(source):
                if due:
                    self._sample(Sampler(source, training=training, seed=moment.step), bounds)
            elif self._collector.open:
                self._collector.add(prepare(source, bounds))
            if due:
                now = time.perf_counter()
                self._sampling.took(now - started, now)

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts raised for this run since the last call; never waits."""
        if not self.active:
            return []
        fresh = [a for a in self._sender.alerts if a["id"] not in self._heard_alerts]
        self._heard_alerts |= {alert["id"] for alert in fresh}
        return fresh

    def finish(self) -> None:
        """Send what waits, for at most `flush_timeout_s`, and mark the run finished."""
        if not self.active:
            return
        with self._lock:
            self._collector.end()
            self._finished = True
        atexit.unregister(self.finish)
        self._sender.close(self.settings.flush_timeout_s)

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()

    def _take(
        self, named: Mapping[str, object]
    ) -> tuple[dict[str, Snapshot], dict[str, int], list[tuple[str, str]]]:
        taken: dict[str, Snapshot] = {}
        calls: dict[str, int] = {}
        failures: list[tuple[str, str]] = []
        for name, network in named.items():
            check_name(name, what="network name", longest=MAX_RUN_NAME)
            calls[name] = self._calls[name] = self._calls.get(name, 0) + 1
            with self._failing(f"S.{name}", failures), self._timed(name) as due:
                if due:
                    taken[name] = self._snapshots.take(name, network)
        return taken, calls, failures

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[bool]:
        settings = self.settings
        fresh = WeightSchedule(settings.weights_every, settings.max_overhead)
        schedule = self._schedules.setdefault(name, fresh)
        started = time.perf_counter()
        due = schedule.due(started)
        yield due
        if due:
            schedule.took(time.perf_counter() - started)

    @contextlib.contextmanager
    def _failing(self, metric: str, failures: list[tuple[str, str]]) -> Iterator[None]:
        """Turn an error of one network into a failed point; the other networks go on."""
        try:
            yield
        except HookError as error:
            if self.settings.strict:
                raise
            failures.append((metric, str(error)))
            self._count(_reason(error), str(error))

    def _scalars(self, scalars: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in scalars.items():
            try:
                check_name(name, what="scalar name", longest=MAX_METRIC_NAME)
                values[self._free_name(name)] = _number(value)
            except (HookError, TypeError, ValueError) as error:
                if self.settings.strict:
                    raise
                self._count("bad_scalar", f"scalar {name!r} is not kept: {error}")
        return values

    def _free_name(self, name: str) -> str:
        if name.split(".", 1)[0].split("@", 1)[0] not in OWN_METRICS:
            return name
        kept = f"scalar.{name}"
        self._warn(f"name {name}", f"scalar {name!r} has a metric's name; it is kept as {kept!r}")
        return kept

    def _sample(self, sampler: Sampler, bounds: tuple[float, float]) -> None:
        def accept(batch: Any) -> bool:
            return self._collector.add(prepare(batch, bounds), wait=False)

        try:
            sampler.draw(self.settings.samples, accept)
        except SamplesError as error:
            self._collector.end(failure=str(error))
            raise

    def _count(self, reason: str, message: str) -> None:
        self._queue.count_dropped(reason)
        self._warn(reason, message)

    def _warn(self, topic: str, message: str) -> None:
        if topic not in self._warned:
            self._warned.add(topic)
            log.warning("sqd: %s (said once; counted in Run.dropped)", message)


def _moment(step: int, epoch: float | None) -> Moment:
    whole = int(step)
    if whole != step or not 0 <= whole <= MAX_STEP:
        raise HookError(f"step is {step!r}; expected a whole number from 0 to {MAX_STEP}")
    return Moment(whole, None if epoch is None else float(epoch), time.time())


def _named_networks(
    networks: Mapping[str, object] | None, more: Mapping[str, object]
) -> dict[str, object]:
    named = dict(networks or {})
    twice = named.keys() & more.keys()
    if twice:
        raise NetworkError(f"networks given twice: {', '.join(sorted(twice))}")
    return {**named, **more}


def _number(value: Any) -> Any:
    """A float, or a 0-d device tensor that the sender reads later, so that nothing waits here."""
    detach = getattr(value, "detach", None)
    if detach is None:
        return float(value)
    if value.numel() != 1:
        raise ValueError(f"expected one number, got shape {tuple(value.shape)}")
    return detach().clone() if value.is_cuda else detach().item()
