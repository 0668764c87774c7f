"""The two Redis servers: one durable, one volatile; errors as one sentence."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from monitor.errors import StoreError, StoreUnavailableError
from trainer_hooks import keys

#: Longest wait for an answer, seconds: several times that of any blocking read. A server that is
#: frozen, rather than gone, is told away after it.
SOCKET_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 3.0
#: One quiet second try: a connection that the server closed while idle is no outage. Who did not
#: answer in time is not asked again.
RETRIES, RETRIED = 1, (redis.ConnectionError,)


@dataclass(frozen=True, slots=True)
class Store:
    """Clients of the durable (`data`) and the volatile (`blobs`) Redis, safe across threads."""

    data: "redis.Redis"
    blobs: "redis.Redis"
    redis_url: str
    blob_url: str

    def ping(self) -> None:
        """Raise StoreUnavailableError unless both answer."""
        with reachable(self.redis_url):
            self.data.ping()
        with reachable(self.blob_url):
            self.blobs.ping()

    def now_s(self) -> float:
        """Unix seconds by the clock of the durable Redis: the one clock of all processes."""
        with reachable(self.redis_url):
            seconds, microseconds = self.data.time()
        return float(seconds) + float(microseconds) / 1e6

    def tell_blob_url(self) -> None:
        """Say where frames go to a durable Redis that came back empty."""
        if self.blob_url != self.redis_url and not _is_personal(self.blobs):
            with reachable(self.redis_url):
                self.data.set(keys.BLOB_URL, self.blob_url, nx=True)


def open_store(redis_url: str, blob_url: str | None = None) -> Store:
    """Clients of the Redis at `redis_url` and of the one that holds the frames.

    Args:
        redis_url: of the durable Redis.
        blob_url: of the volatile one, told to everybody unless it names a user of an access list,
            who would then be anybody; None: what was told, else the same.
    Raises:
        StoreUnavailableError: the durable Redis does not answer.
    """
    data = _client(redis_url)
    if blob_url is not None:
        blobs = _client(blob_url)
        if not _is_personal(blobs):
            with reachable(redis_url):
                data.set(keys.BLOB_URL, blob_url)
        return Store(data, blobs, redis_url, blob_url)
    with reachable(redis_url):
        told = data.get(keys.BLOB_URL)
    if not told:
        return Store(data, data, redis_url, redis_url)
    return Store(data, _client(text(told)), redis_url, text(told))


def masked(url: str) -> str:
    """The URL without its password, for messages and logs."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('?')[0]}"


@contextlib.contextmanager
def reachable(url: str) -> Iterator[None]:
    """Turn Redis' errors into the store's, with the address and the reason."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        message = f"Redis at {masked(url)} cannot be reached: {error}"
        raise StoreUnavailableError(message) from error
    except redis.RedisError as error:
        raise StoreError(f"Redis at {masked(url)} refused: {error}") from error


def text(value: Any) -> str:
    """A reply as text: names are UTF-8."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _is_personal(client: "redis.Redis") -> bool:
    return bool(client.connection_pool.connection_kwargs.get("username"))


def _client(url: str) -> "redis.Redis":
    # Older clients trust a certificate for any name; what the URL says still wins.
    named = {"ssl_check_hostname": True} if url.startswith("rediss://") else {}
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=SOCKET_TIMEOUT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), RETRIES, RETRIED),
            protocol=2,
            **named,
        )
    except ValueError as error:
        raise StoreError(f"the Redis URL {masked(url)!r} is not usable: {error}") from error
