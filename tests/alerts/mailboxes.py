"""Real receivers of notices: a webhook, and a mail server; each can take, refuse or hang."""

import base64
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

#: Longest wait for anything, seconds.
WAIT_S = 20.0
#: In every address; must be seen nowhere else.
SECRET = "hunter2-T0KEN"


class Webhook:
    """Keeps what is posted to it.

    Attributes:
        received: bodies of the posts, in order.
        status: what it answers.
        on_post: called with each body before it is answered.
    """

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.status = 200
        self.on_post: Callable[[dict[str, Any]], None] = lambda _: None
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.received.append(body)
                hook.on_post(body)
                with contextlib.suppress(OSError):
                    self.send_response(hook.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"json://user:{SECRET}@127.0.0.1:{self._server.server_port}/{SECRET}"

    def pictures(self, number: int) -> dict[str, bytes]:
        """Name and bytes of what was attached to a post."""
        found = self.received[number]["attachments"]
        return {each["filename"]: base64.b64decode(each["base64"]) for each in found}

    def close(self) -> None:
        """Take nothing any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(WAIT_S)


class MailServer:
    """Keeps what is sent to it, or refuses it.

    Attributes:
        received: messages, in order.
        refuses: whether it takes none.
    """

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.refuses = False
        self._controller = Controller(self, hostname="127.0.0.1", port=_free_port())
        self._controller.start()
        self.url = (
            f"mailto://127.0.0.1:{self._controller.port}/"
            f"?from=sqd@a.example&to=me-{SECRET}@b.example&mode=insecure"
        )

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """What aiosmtpd calls with a message."""
        if self.refuses:
            return "550 not here"
        self.received.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def close(self) -> None:
        """Take nothing any more."""
        self._controller.stop()


class Silence:
    """Takes connections and says nothing.

    Attributes:
        called: set once somebody has connected.
    """

    def __init__(self) -> None:
        self.called = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._calls: list[socket.socket] = []
        self._thread = threading.Thread(target=self._take)
        self._thread.start()
        self.port = self._listener.getsockname()[1]
        self.url = f"json://127.0.0.1:{self.port}/{SECRET}"

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._calls.append(self._listener.accept()[0])
                self.called.set()

    @property
    def calls(self) -> int:
        """How often somebody has connected."""
        return len(self._calls)

    def close(self) -> None:
        """Hang up on everybody."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(WAIT_S)
        for call in self._calls:
            call.close()


@contextlib.contextmanager
def opened(box: Any) -> Iterator[Any]:
    """Close it afterwards."""
    try:
        yield box
    finally:
        box.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
