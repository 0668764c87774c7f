"""Redis with TLS and with users of an access list."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from monitor.errors import StoreError, StoreUnavailableError
from monitor.store.connection import Store, open_store
from monitor.store.embedded import EmbeddedRedis
from tests.server.laboratory import Laboratory
from tests.store.guarded import GuardedRedis, certify, tls_relay
from trainer_hooks import keys


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedRedis]:
    """One server for the module."""
    server = GuardedRedis(tmp_path_factory.mktemp("guarded"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Of a CA of the tests, for 127.0.0.1."""
    return certify(tmp_path_factory.mktemp("certificates"), "127.0.0.1")


@pytest.mark.parametrize(
    ("user", "password", "command"),
    [
        ("sqd-trainer", "PASSWORD-3", "FLUSHALL"),
        ("sqd-trainer", "PASSWORD-3", "DEL sqd:runs"),
        ("sqd-trainer", "PASSWORD-3", "KEYS *"),
        ("sqd-trainer", "PASSWORD-3", "SET sqd:blob_url redis://evil"),
        ("sqd-trainer", "PASSWORD-3", "GET sqd:blob_url"),
        ("sqd-trainer", "PASSWORD-3", "XADD sqd:{0}:events * run demo"),
        ("sqd-trainer", "PASSWORD-3", "HGET sqd:{0}:watch:lease owner"),
        ("sqd-trainer", "PASSWORD-3", "EVAL return(redis.call('SET',KEYS[1],'1')) 1 sqd:blob_url"),
        ("sqd-worker", "PASSWORD-2", "FLUSHALL"),
        ("sqd-worker", "PASSWORD-2", "CONFIG GET dir"),
        ("sqd-worker", "PASSWORD-2", "GET other"),
        ("sqd-server", "PASSWORD-1", "FLUSHALL"),
        ("sqd-server", "PASSWORD-1", "CONFIG GET dir"),
        ("sqd-server", "PASSWORD-1", "ACL LIST"),
        ("sqd-server", "PASSWORD-1", "SCRIPT FLUSH"),
        ("sqd-server", "PASSWORD-1", "GET other"),
    ],
)
def test_nobody_may_more(guarded: GuardedRedis, user: str, password: str, command: str) -> None:
    with (
        redis.Redis.from_url(guarded.url(user, password), protocol=2) as client,
        pytest.raises(redis.ResponseError, match=r"permissions|access"),
    ):
        client.execute_command(*command.split())
    assert [line.partition(":")[0] for line in guarded.refusals()] == [user]
    guarded.admin.acl_log_reset()


@pytest.mark.parametrize(
    "command",
    ["MEMORY USAGE sqd:runs", "SCAN 0 MATCH sqd:*", "UNLINK sqd:a", "XREAD STREAMS sqd:a 0"],
)
def test_server_weighs_and_removes(guarded: GuardedRedis, command: str) -> None:
    with redis.Redis.from_url(guarded.url("sqd-server", "PASSWORD-1"), protocol=2) as client:
        client.execute_command(*command.split())
    assert guarded.refusals() == []


def test_default_user_is_nobody(guarded: GuardedRedis) -> None:
    with pytest.raises(StoreUnavailableError, match=r"Authentication required|NOAUTH"):
        open_store(f"redis://127.0.0.1:{guarded.port}/0")
    guarded.admin.acl_log_reset()


def test_address_of_a_user_is_told_to_nobody(guarded: GuardedRedis) -> None:
    url = guarded.url("sqd-server", "PASSWORD-1")
    store = open_store(url, url)
    store.ping()
    store.tell_blob_url()
    assert store.blob_url == url
    assert guarded.admin.get(keys.BLOB_URL) is None
    assert guarded.refusals() == []


def test_a_push_goes_over_tls_and_comes_back(
    store: Store, embedded: EmbeddedRedis, certificates: tuple[Path, Path, Path]
) -> None:
    ca, certificate, key = certificates

    def over_tls(url: str, port: int) -> str:
        secret = url.rpartition("@")[0].replace("redis://", "rediss://")
        return f"{secret}@127.0.0.1:{port}/0?ssl_ca_certs={ca}"

    durable, volatile = (
        int(url.rpartition(":")[2].partition("/")[0])
        for url in (embedded.redis_url, embedded.blob_url)
    )
    with (
        tls_relay(durable, certificate, key) as data_port,
        tls_relay(volatile, certificate, key) as blob_port,
    ):
        urls = over_tls(embedded.redis_url, data_port), over_tls(embedded.blob_url, blob_port)
        secure = open_store(*urls)
        laboratory = Laboratory(secure, urls[0])
        run = laboratory.weights(laboratory.start("demo"), {"S.G": [0.1, 0.2]})
        laboratory.samples(laboratory.start("more"), 1, {"Q": [0.5]})
        laboratory.close()
        assert store.data.exists(keys.metrics(run))
        secure.data.close()
        secure.blobs.close()


def test_certificates_are_checked(
    embedded: EmbeddedRedis, certificates: tuple[Path, Path, Path]
) -> None:
    ca, certificate, key = certificates
    port = int(embedded.redis_url.rpartition(":")[2].partition("/")[0])
    with tls_relay(port, certificate, key) as tls_port:
        for place, reason in (
            (f"127.0.0.1:{tls_port}/0", "certificate verify failed"),
            (f"localhost:{tls_port}/0?ssl_ca_certs={ca}", "not valid for 'localhost'"),
            (f"127.0.0.1:{tls_port}/0?ssl_ca_certs=/absent.pem", "absent.pem|No such file"),
        ):
            with pytest.raises(StoreError, match=reason) as caught:
                open_store(f"rediss://user:secret@{place}")
            assert "secret" not in str(caught.value)
