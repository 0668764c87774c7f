"""What stands before every call: which hosts we answer to, whose pages may change something, how
large a body and an address may be, headers."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Names under which a browser on this machine reaches us; any other name that leads here was
#: bent by somebody (DNS rebinding).
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
#: What other people's pages may have a browser do: look, since they cannot read the answer.
HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Largest body of a request, bytes: a token or a sentence is all that is ever sent.
MOST_BODY_BYTES = 16 * 1024
#: Longest path with its query, bytes: 500 metrics of 100 letters. The server itself ends at 64 KiB
#: of line and headers together.
MOST_ADDRESS_BYTES = 56 * 1024

#: Plotly writes inline styles; nothing else leaves the page's own origin.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Shield:
    """Refuses foreign hosts, changes by foreign pages and large bodies; adds security headers.

    Args:
        app: what is behind it.
        allowed_hosts: names in the Host header that are answered, without port; None for all.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str] | None) -> None:
        self._app = app
        self._hosts = None if allowed_hosts is None else {host.lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        length = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        refusal = self._refusal(scope["method"], Headers(scope=scope), length)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers, address_bytes: int) -> JSONResponse | None:
        host = _name(headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            detail = f"this server does not answer to the host name {host!r}"
            return JSONResponse({"detail": detail}, 400)
        if address_bytes > MOST_ADDRESS_BYTES:
            detail = f"the address is {address_bytes} bytes long; the limit is {MOST_ADDRESS_BYTES}"
            return JSONResponse({"detail": detail}, 414)
        if method not in HARMLESS and _is_foreign(headers):
            return JSONResponse({"detail": "a page of another site must not change anything"}, 403)
        length = headers.get("content-length", "0")
        if (
            "transfer-encoding" in headers
            or not length.isdecimal()
            or int(length) > MOST_BODY_BYTES
        ):
            detail = f"the body is too large; the limit is {MOST_BODY_BYTES} bytes, with its length"
            return JSONResponse({"detail": detail}, 413)
        return None


def _is_foreign(headers: Headers) -> bool:
    """Whether a browser sends this for a page that is not ours; programs say nothing of it."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _name(host: str) -> str:
    """The host without its port: ``[::1]:8000`` is ``::1``."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
