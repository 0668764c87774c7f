"""The web server in a thread, and a browser's side of server-sent events."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI

from monitor.server.serve import Server

#: Longest wait for anything, seconds.
WAIT_S = 10.0


@contextlib.contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[httpx.Client]:
    """A client of the app behind a real server."""
    server = Server(app, host="127.0.0.1", port=port, log_level="error")
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        give_up_s = time.monotonic() + WAIT_S
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < give_up_s
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=WAIT_S, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
        assert not thread.is_alive(), "the server does not stop"


@dataclass(frozen=True)
class Received:
    """One dispatched event, or an id alone."""

    name: str
    id: str
    data: Any


class EventStream:
    """What an EventSource does, one event at a time."""

    def __init__(self, address: str, path: str, **headers: str) -> None:
        parts = urlsplit(address)
        self._line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=WAIT_S)
        self._line.request("GET", path, headers=headers)
        # Kept: http.client lets go of it, since the answer has no end.
        self._socket = self._line.sock
        self._answer = self._line.getresponse()
        self.status = self._answer.status
        self.headers = self._answer.headers

    def next(self) -> Received:
        """The next event; comments are skipped."""
        fields: dict[str, str] = {}
        while True:
            line = self._answer.readline().decode()
            assert line, "the stream has ended"
            name, _, value = line.rstrip("\r\n").partition(": ")
            if name:
                fields[name] = value
            elif fields:
                data = json.loads(fields["data"]) if "data" in fields else None
                return Received(fields.get("event", ""), fields.get("id", ""), data)

    def ended(self) -> bool:
        """Whether the server has ended the stream, and nothing more was in it."""
        return self._answer.readline() == b""

    def body(self) -> Any:
        """JSON of an answer that is no stream."""
        return json.loads(self._answer.read())

    def close(self) -> None:
        """Leave, as a closed tab does."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._answer.close()
        self._line.close()

    def __enter__(self) -> "EventStream":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
