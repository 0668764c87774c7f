"""Counts answered requests by method and status, whoever answered them."""

from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Anybody may send any word as a method.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


class Requests:
    """The outermost middleware: it sees refusals too. An open event stream counts as answered.

    Args:
        app: what answers.
        counted: is raised by method and status.
    """

    def __init__(self, app: ASGIApp, counted: "Counter[tuple[str, ...]]") -> None:
        self._app = app
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "other"

        started = False

        async def counting(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._counted[method, str(message["status"])] += 1
            await send(message)

        try:
            await self._app(scope, receive, counting)
        except Exception:
            # Starlette answers a defect of ours outside of every middleware.
            if not started:
                self._counted[method, "500"] += 1
            raise
