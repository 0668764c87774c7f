"""A line between browser and server that a test may cut."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

RECEIVE_BYTES = 65_536
#: Longest wait for the thread that accepts, seconds.
WAIT_S = 10


class Wire:
    """A port of its own, behind which the server may go and come back elsewhere.

    Args:
        url: of the server.
    """

    def __init__(self, url: str) -> None:
        self.lead_to(url)
        self._open: set[socket.socket] = set()
        self._whole = True
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def lead_to(self, url: str) -> None:
        """New connections reach this server."""
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 80)

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """All connections end at once, and none can be made until the block does."""
        self._whole = False
        with self._lock:
            for line in self._open:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
        yield
        self._whole = True

    def close(self) -> None:
        """End everything."""
        with self.cut():
            # Alone a close would leave the thread where it waits.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join(WAIT_S)
            self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                browser, _ = self._listener.accept()
                if not self._whole:
                    browser.close()
                    continue
                try:
                    server = socket.create_connection(self._server)
                except OSError:
                    browser.close()
                    continue
                for ends in ((browser, server), (server, browser)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with self._lock:
            self._open.add(source)
        with contextlib.suppress(OSError):
            while part := source.recv(RECEIVE_BYTES):
                target.sendall(part)
        # The other direction ends with this one.
        for line in (source, target):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()
