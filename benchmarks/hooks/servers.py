"""The servers that the outages are done to: started, killed, frozen and cleaned away."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.process import start_child, stop_children
from monitor.store.embedded import EmbeddedRedis
from trainer_hooks import keys

#: Longest wait for a server to listen, seconds; MLflow makes its database first, and on a busy
#: machine its four workers take a minute and more.
START_S = 180.0
#: Wait between looks, seconds.
POLL_S = 0.1
#: Trackio's token, made up for this process.
TOKEN = secrets.token_hex(16)


class ServerError(Exception):
    """A server did not start, or there is none."""


class Server:
    """Something to talk to; by itself, a port that nobody listens on ("absent").

    Args:
        folder: for what it writes.
        scheme: of the address.

    Attributes:
        address: where the trainer finds it.
    """

    def __init__(self, folder: Path, *, scheme: str = "http") -> None:
        self.folder = folder
        self.address = f"{scheme}://127.0.0.1:{free_port()}"

    def kill(self, trainer: int) -> None:
        """End it without warning, or remove it. `trainer` is the process id of who talks to it."""
        self.signal(signal.SIGKILL, trainer)

    def freeze(self, trainer: int) -> None:
        """Let it stand still, its connections open."""
        self.signal(signal.SIGSTOP, trainer)

    def signal(self, number: signal.Signals, trainer: int) -> None:
        """Send a signal to all of its processes."""

    def close(self) -> None:
        """Clean it away, whatever state it is in."""


class Silent(Server):
    """Takes connections and never says a word."""

    def __init__(self, folder: Path, *, scheme: str = "http") -> None:
        super().__init__(folder)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()


class Redis(Server):
    """Both embedded servers of the product."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._embedded = EmbeddedRedis(folder / "server")
        store = self._embedded.store
        store.data.set(keys.BLOB_URL, self._embedded.blob_url)
        self.address = self._embedded.redis_url
        infos: list[Any] = [client.info("server") for client in (store.data, store.blobs)]
        self._pids = [int(info["process_id"]) for info in infos]

    def signal(self, number: signal.Signals, trainer: int) -> None:
        for pid in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def close(self) -> None:
        # Its processes are still our children, so their ids cannot have been given to others.
        self.signal(signal.SIGCONT, 0)
        self._embedded.close()


class Command(Server):
    """A server of its own process group, started by a command.

    Args:
        arguments: of Python; ``{port}`` and ``{folder}`` are filled in.
        scheme: of the address.
        query: added to the address.
        python: that runs it.

    Attributes:
        port: that it listens on.
        pid: of its first process.
    """

    def __init__(
        self,
        folder: Path,
        *,
        arguments: Sequence[str],
        scheme: str = "http",
        query: str = "",
        python: str = sys.executable,
    ) -> None:
        super().__init__(folder)
        self.port = port = free_port()
        home = folder / "server"
        home.mkdir()
        self.address = f"{scheme}://127.0.0.1:{port}{query}"
        filled = [argument.format(port=port, folder=home) for argument in arguments]
        environment = {"TRACKIO_DIR": str(home), "TRACKIO_WRITE_TOKEN": TOKEN}
        with (folder / "server.log").open("wb") as log:
            command = [python, *filled]
            self._process = start_child(command, output=log, environment=environment)
        self.pid = self._process.pid
        self._wait(port)

    def signal(self, number: signal.Signals, trainer: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def close(self) -> None:
        if self._process.poll() is None:
            self.signal(signal.SIGKILL, 0)
        stop_children([self._process])

    def _wait(self, port: int) -> None:
        give_up_s = time.monotonic() + START_S
        while time.monotonic() < give_up_s and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(POLL_S)
        log = (self.folder / "server.log").read_text(errors="replace").strip()
        self.close()
        raise ServerError(f"the server did not start: {log[-200:]}")


class Service(Server):
    """wandb's own service process, a child of the trainer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._found: list[int] = []

    def signal(self, number: signal.Signals, trainer: int) -> None:
        self._found = self._found or _children(trainer, "wandb-core")
        if not self._found:
            raise ServerError("wandb has no service process")
        for pid in self._found:
            os.kill(pid, number)

    def close(self) -> None:
        for pid in self._found:
            command = Path(f"/proc/{pid}/cmdline")
            # The trainer is gone; its service, if frozen, is not.
            if command.exists() and b"wandb-core" in command.read_bytes():
                os.kill(pid, signal.SIGKILL)


class Folder(Server):
    """Where TensorBoard writes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.address = str(folder / "events")

    def kill(self, trainer: int) -> None:
        shutil.rmtree(self.address)


def _children(parent: int, name: str) -> list[int]:
    """Process ids of the children of `parent` whose command holds `name`."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True
    )
    lines = [line.split(maxsplit=1) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, command in lines if name in command]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
