"""The web server: uvicorn, stopping promptly however many browsers listen."""

import contextlib
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

#: Longest wait for answers under way when the server stops, seconds.
GRACE_S = 2


class Server(uvicorn.Server):
    """Serves an app of `create_app`.

    Event streams never end by themselves, and uvicorn waits for them: they are told to.

    Args:
        app: from `create_app`.
        options: of `uvicorn.Config`.
    """

    def __init__(self, app: FastAPI, **options: Any) -> None:
        options = {"timeout_graceful_shutdown": GRACE_S, **options}
        super().__init__(uvicorn.Config(app, **options))
        self._hub = app.state.hub

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until stopped; Ctrl-C is a way to stop, no error."""
        with contextlib.suppress(KeyboardInterrupt):
            super().run(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, then everything else."""
        self._hub.close()
        await super().shutdown(sockets)
