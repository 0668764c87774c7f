"""Clients of the durable and the volatile Redis, as the sender uses them."""

import contextlib
import functools
import uuid
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trainer_hooks import keys, scripts
from trainer_hooks.errors import LinkError
from trainer_hooks.settings import Settings, find_redis

#: Longest wait for an answer, seconds; well under `flush_timeout_s`.
SOCKET_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 2.0

P = ParamSpec("P")
R = TypeVar("R")


def link_errors(method: Callable[P, R]) -> Callable[P, R]:
    """Turn what Redis and the network raise into LinkError."""

    @functools.wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (redis.RedisError, OSError) as error:
            raise LinkError(f"{type(error).__name__}: {error}") from error

    return wrapped


class Clients:
    """Both clients and the scripts they run; made anew at every connection.

    Where Redis is may change from one connection to the next, and the clients with it.

    Args:
        settings: of the run.
        blob_url: where frames went before, if that was a Redis of its own.

    Attributes:
        blob_url: where frames go, likewise.

    Raises:
        LinkError: nobody says where Redis is, or the durable one does not answer.
    """

    def __init__(self, settings: Settings, blob_url: str | None = None) -> None:
        url = find_redis(settings)
        if url is None:
            raise LinkError(
                "no Redis is known: start `sqd up`, or set SQD_REDIS_URL "
                f"(looked for {settings.home / 'endpoint'})"
            )
        self.data = _client(url)
        said = settings.blob_url or self._told_blob_url(blob_url)
        self.blob_url = None if said == url else said
        self.blobs = self.data if self.blob_url is None else _client(self.blob_url)
        self.register = self.data.register_script(scripts.REGISTER)
        self.post = self.data.register_script(scripts.POST)
        self.beat = self.data.register_script(scripts.HEARTBEAT)
        self.reserve = self.blobs.register_script(scripts.RESERVE)

    def close(self) -> None:
        """Hang up."""
        for client in {self.data, self.blobs}:
            with contextlib.suppress(redis.RedisError, OSError):
                client.close()

    def instance(self) -> str:
        """Name of the durable data set; a Redis that has none yet gets one."""
        self.data.set(keys.INSTANCE, uuid.uuid4().hex, nx=True)
        name = self.data.get(keys.INSTANCE)
        return name.decode() if isinstance(name, bytes) else ""

    def now_s(self) -> float:
        """Unix seconds by the clock of the durable Redis: the one clock of all processes."""
        seconds, microseconds = self.data.time()
        return float(seconds) + float(microseconds) / 1e6

    def _told_blob_url(self, before: str | None) -> str | None:
        told = self.data.get(keys.BLOB_URL)
        if isinstance(told, bytes):
            return told.decode()
        if before is None or not _answers(before):
            return None
        # The durable one was emptied: all must go on meeting at the same place.
        self.data.set(keys.BLOB_URL, before, nx=True)
        return before


def _answers(url: str) -> bool:
    client = _client(url)
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()


def _client(url: str) -> "redis.Redis":
    # Older clients trust a certificate for any name; what the URL says still wins.
    named = {"ssl_check_hostname": True} if url.startswith("rediss://") else {}
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **named,
        )
    except ValueError as error:
        # Its text may hold a part of the password.
        raise LinkError(f"the Redis URL is not usable ({type(error).__name__})") from None
