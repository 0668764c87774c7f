"""A slow and lossy line to a server: what TCP makes of a bad network, between two sockets."""

import contextlib
import random
import socket
import threading
import time
from urllib.parse import urlsplit, urlunsplit

#: One way, seconds.
DELAY_S = 0.1
#: Share of packets that are lost, and what TCP needs to notice and send again, seconds (RFC 6298's
#: least as Linux has it).
LOSS, AGAIN_S = 0.1, 0.2
PACKET_BYTES = 16 * 1024
#: Longest wait for a thread at the end, seconds.
JOIN_S = 5.0


class SlowLine:
    """Listens on a port of its own and passes on, late.

    Args:
        url: of the server at the other end.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        before = parts.netloc.rpartition(":")[0]
        self.url = urlunsplit(parts._replace(netloc=f"{before}:{port}"))
        self._chance = random.Random(1)
        self._ends: list[socket.socket] = []
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def close(self) -> None:
        """Hang up on everybody."""
        self._closing.set()
        for end in [self._listener, *self._ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(JOIN_S)

    def _run(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="line", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target, JOIN_S)
            except OSError:
                continue
            far.settimeout(None)
            self._ends += [near, far]
            self._run(self._pass_on, near, far)
            self._run(self._pass_on, far, near)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(PACKET_BYTES):
                lost = self._chance.random() < LOSS
                time.sleep(DELAY_S + (AGAIN_S if lost else 0))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
