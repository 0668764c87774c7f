"""Clients of two servers; errors that say which, without its password."""

import pytest

from monitor.errors import StoreError, StoreUnavailableError
from monitor.store import connection
from monitor.store.connection import Store, masked, open_store, reachable
from monitor.store.embedded import EmbeddedRedis
from tests.alerts.mailboxes import Silence
from trainer_hooks import keys


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@host:6379/0", "redis://host:6379/0"),
        ("redis://user:secret@[::1]:1/2", "redis://[::1]:1/2"),
        ("rediss://host", "rediss://host"),
        ("unix:///run/redis.sock?password=secret", "unix:///run/redis.sock"),
        ("user:secret@host:6379", "host:6379"),
        ("redis://:se@cret@[bad", "redis://[bad"),
    ],
)
def test_password_is_never_shown(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_volatile_server_is_told_once_for_all(store: Store, embedded: EmbeddedRedis) -> None:
    store.data.delete(keys.BLOB_URL)
    alone = open_store(embedded.redis_url)
    assert (alone.blobs, alone.blob_url) == (alone.data, embedded.redis_url)
    assert open_store(embedded.redis_url, embedded.blob_url).blob_url == embedded.blob_url
    told = open_store(embedded.redis_url)
    told.blobs.set("sqd:here", 1)
    assert store.blobs.exists("sqd:here")
    assert not store.data.exists("sqd:here")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://:secret@127.0.0.1:9/0", r"redis://127\.0\.0\.1:9/0 cannot be reached"),
        ("secret@localhost:6379", "'localhost:6379' is not usable"),
        ("redis://:secret@[bad", r"'redis://\[bad' is not usable"),
        ("redis://localhost:many", "'redis://localhost:many' is not usable"),
    ],
)
def test_bad_address_is_one_sentence(url: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_who_does_not_answer_is_asked_once(
    silence: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SOCKET_TIMEOUT_S", 0.2)
    with pytest.raises(StoreUnavailableError, match="cannot be reached: Timeout"):
        open_store(f"redis://127.0.0.1:{silence.port}")
    assert silence.calls == 1


def test_refusal_is_no_outage(store: Store) -> None:
    store.data.set("sqd:text", "x")
    with (
        pytest.raises(StoreError, match="refused: WRONGTYPE") as caught,
        reachable(store.redis_url),
    ):
        store.data.hgetall("sqd:text")
    assert not isinstance(caught.value, StoreUnavailableError)


def test_wrong_password_is_told(embedded: EmbeddedRedis) -> None:
    wrong = embedded.redis_url.replace("redis://:", "redis://:x")
    with pytest.raises(StoreUnavailableError, match="password"):
        open_store(wrong)
