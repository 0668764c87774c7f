"""A Redis that a test may kill and bring back with what it held."""

import socket
import subprocess
import time
from pathlib import Path

from monitor.errors import StoreError
from monitor.process import start_child
from monitor.store.connection import Store, open_store
from monitor.store.embedded import redis_server
from tests.server.listening import WAIT_S


class MortalRedis:
    """One durable server at a port of its own.

    Args:
        directory: where its append-only file lies.
        password: that it wants, if any.
    """

    def __init__(self, directory: Path, password: str = "") -> None:
        self._directory = directory
        self._password = password
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        user = f":{password}@" if password else ""
        self.url = f"redis://{user}127.0.0.1:{self.port}/0"
        self._store: Store | None = None
        self.start()

    @property
    def store(self) -> Store:
        """Its client, the same after every death."""
        assert self._store is not None
        return self._store

    def start(self) -> None:
        """Start it, with what it held."""
        settings = (
            f"bind 127.0.0.1\nport {self.port}\ndir {self._directory}\n"
            'appendonly yes\nappendfsync always\nsave ""\n'
        )
        if self._password:
            settings += f"requirepass {self._password}\n"
        self._child = start_child(
            [redis_server(), "-"], stdin=subprocess.PIPE, output=subprocess.DEVNULL
        )
        assert self._child.stdin is not None
        self._child.stdin.write(settings.encode())
        self._child.stdin.close()
        self._wait()

    def kill(self) -> None:
        """End it without a word."""
        self._child.kill()
        self._child.wait()

    def close(self) -> None:
        """End it and its client."""
        self.kill()
        self.store.data.close()

    def _wait(self) -> None:
        give_up_s = time.monotonic() + WAIT_S
        while True:
            try:
                self._store = self._store or open_store(self.url)
                return self._store.ping()
            except StoreError:
                assert time.monotonic() < give_up_s
                time.sleep(0.02)
