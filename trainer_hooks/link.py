"""The sender's line to Redis: find it, register the run, post frames, beat. No retries in here."""

import functools
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trainer_hooks import keys, scripts
from trainer_hooks.errors import LinkError
from trainer_hooks.settings import Settings, find_redis
from trainer_hooks.wire import Frame, encode

#: Longest wait for an answer, seconds; well under `flush_timeout_s`.
SOCKET_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 2.0
#: A frame that no worker took is thrown away after this long, seconds: a safety net.
BLOB_TTL_S = 3600
#: Suffixes tried for a run name that is taken.
MOST_SUFFIXES = 10_000

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Answer:
    """What Redis said: sample batches evaluated so far, and the run's alerts."""

    batches_done: int
    alerts: tuple[dict[str, Any], ...] = ()


class RunDeletedError(LinkError):
    """Somebody deleted the run; nothing more is to be sent."""


class RunLostError(LinkError):
    """Redis came back empty: the run must register again."""


class BudgetUsedError(LinkError):
    """The worker has not yet processed what is already there."""


def _link_errors(
    method: Callable[Concatenate["Link", P], R],
) -> Callable[Concatenate["Link", P], R]:
    @functools.wraps(method)
    def wrapped(self: "Link", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except (redis.RedisError, OSError) as error:
            raise LinkError(f"{type(error).__name__}: {error}") from error

    return wrapped


class Link:
    """One connection pair for one run.

    Args:
        settings: of the run.
        segment: name of this trainer process within the run.
    """

    def __init__(self, settings: Settings, segment: str) -> None:
        self._settings = settings
        self._segment = segment
        self._instance: object = None
        self.run = settings.run
        self.connected = False
        self.registered = False

    @_link_errors
    def connect(self, first_rows: int) -> None:
        """Connect and register; `first_rows`: rows already packed, sent before Redis lost them."""
        url = find_redis(self._settings)
        if url is None:
            raise LinkError(
                f"no Redis is known: start `sqd up`, or set SQD_REDIS_URL "
                f"(looked for {self._settings.home / 'endpoint'})"
            )
        self._data = _client(url)
        self._blobs = self._blob_client(url)
        self._data.set(keys.INSTANCE, uuid.uuid4().hex, nx=True)
        instance = self._data.get(keys.INSTANCE)
        same_data = self._instance in (None, instance)
        if not (self.registered and same_data):
            self._register(first_rows)
        self._instance = instance
        self.connected = True

    def close(self) -> None:
        """Forget the connection; `connect` starts anew."""
        self.connected = False

    @_link_errors
    def post(self, frame: Frame, last_row: int, last_step: int) -> Answer:
        """Send one frame. Sending it again after a lost answer changes nothing in the end.

        Raises:
            BudgetUsedError: the run's budget of unprocessed bytes is used up.
            RunDeletedError, RunLostError: the run is unknown to Redis.
            LinkError: Redis is away or refuses.
            WireError: the frame is too large.
        """
        frame = Frame(
            frame.kind, {**frame.header, "run": self.run, "segment": self._segment}, frame.tensors
        )
        data = encode(frame)
        blob_id = f"{self._segment}-{frame.kind}-{last_row}-{frame.header.get('part', 0)}"
        self._store_blob(blob_id, data)
        job = self._job(frame, blob_id, len(data), last_row, last_step)
        fields = [part for item in job.items() for part in item]
        lane: keys.Lane = "samples" if frame.kind == "samples" else "fast"
        answer = self._post(
            keys=[
                keys.segments(self.run),
                keys.jobs(keys.shard_of(self.run), lane),
                keys.meta(self.run),
                keys.rows(self.run),
            ],
            args=[self._segment, frame.kind, last_row, last_step, len(fields), *fields],
        )
        return self._answer(answer)

    @_link_errors
    def beat(
        self, drops: dict[str, int], networks: dict[str, Any], *, finished: bool = False
    ) -> Answer:
        """Say that the trainer lives, or that it ended."""
        answer = self._heartbeat(
            keys=[
                keys.segments(self.run),
                keys.meta(self.run),
                keys.alerts(self.run),
                keys.rows(self.run),
            ],
            args=[self._segment, json.dumps(drops), json.dumps(networks), int(finished)],
        )
        return self._answer(answer)

    def _blob_client(self, redis_url: str) -> "redis.Redis":
        said = self._settings.blob_url or self._data.get(keys.BLOB_URL)
        if not said:
            return self._data
        url = said.decode() if isinstance(said, bytes) else str(said)
        return self._data if url == redis_url else _client(url)

    def _register(self, first_rows: int) -> None:
        self._reserve = self._blobs.register_script(scripts.RESERVE)
        self._post = self._data.register_script(scripts.POST)
        self._heartbeat = self._data.register_script(scripts.HEARTBEAT)
        register = self._data.register_script(scripts.REGISTER)
        resume = self._settings.resume or self.registered
        about = json.dumps({"first_row": first_rows, **_process(self._settings)})
        config, tags = json.dumps(self._settings.described()), json.dumps(self._settings.tags)
        names = [self.run] if self.registered else _candidates(self._settings.run)
        for name in names:
            run_keys = [keys.meta(name), keys.segments(name)]
            args: list[str | int] = [self._segment, int(resume), about, name, config, tags]
            if register(keys=run_keys, args=args) == b"ok":
                self.run = name
                self._data.zadd(keys.RUNS, {name: self._now_s()}, nx=not resume)
                self.registered = True
                return
        raise LinkError(f"{MOST_SUFFIXES} runs are already called {self._settings.run!r}")

    def _store_blob(self, blob_id: str, data: bytes) -> None:
        used = self._reserve(
            keys=[keys.outstanding(self.run), keys.outstanding_bytes(self.run)],
            args=[blob_id, len(data), BLOB_TTL_S, self._settings.budget_bytes],
        )
        if used[0] == 0:
            raise BudgetUsedError(f"{used[1]} bytes are not yet processed by a worker")
        self._blobs.set(keys.blob(self.run, blob_id), data, ex=BLOB_TTL_S)

    def _job(
        self, frame: Frame, blob_id: str, nbytes: int, last_row: int, last_step: int
    ) -> dict[str, Any]:
        times = frame.tensors["row.time"] if frame.kind == "weights" else [frame.header["time"]]
        return {
            "run": self.run,
            "segment": self._segment,
            "kind": frame.kind,
            "blob": blob_id,
            "bytes": nbytes,
            "row": last_row,
            "step": last_step,
            "time": repr(float(max(times))),
        }

    def _answer(self, answer: list[bytes]) -> Answer:
        if answer[0] == b"unknown":
            if self._data.get(keys.INSTANCE) == self._instance:
                raise RunDeletedError(f"run {self.run!r} was deleted")
            raise RunLostError(f"Redis no longer knows run {self.run!r}")
        return Answer(int(answer[1]), tuple(json.loads(alert) for alert in answer[2:]))

    def _now_s(self) -> float:
        seconds, microseconds = self._data.time()
        return float(seconds) + float(microseconds) / 1e6


def _client(url: str) -> "redis.Redis":
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except ValueError as error:
        raise LinkError(f"the Redis URL is not usable: {error}") from error


def _candidates(name: str) -> "list[str]":
    suffixes = ["", *(f"-{number}" for number in range(2, MOST_SUFFIXES))]
    return [name[: keys.MAX_RUN_NAME - len(suffix)] + suffix for suffix in suffixes]


def _process(settings: Settings) -> dict[str, Any]:
    described = settings.described()
    return {"host": described["host"], "pid": described["pid"]}
