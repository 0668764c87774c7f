"""One request, its answer, and every way in which there is none, as one sentence."""

import contextlib
import gzip
import json
from collections.abc import Iterator, Mapping
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from monitor.errors import ClientError

#: How long an answer may take, seconds.
TIMEOUT_S = 30.0
#: Longest error text of somebody else (a proxy) that is quoted, characters.
MOST_QUOTED = 200


class _NoRedirect(HTTPRedirectHandler):
    """The server never sends elsewhere; who does would be given the token."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


class Line:
    """Asks one server.

    Args:
        url: of the server, as `sqd up` prints it.
        token: to be sent with each request; None: the server has none.
        timeout_s: longest wait for any part of an answer, seconds.
    Raises:
        ClientError: the URL is none of HTTP, or the token is no line.
    """

    def __init__(self, url: str, token: str | None, timeout_s: float) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ClientError(f"{url!r} is no address of a server; expected http://host:port")
        self.url = url.rstrip("/")
        if token is not None and not token.isprintable():
            raise ClientError("the token holds a line break or another unprintable character")
        # Headers are Latin-1 for Python; the server reads their bytes as UTF-8.
        self._token = None if token is None else f"Bearer {token}".encode().decode("latin-1")
        self._timeout_s = timeout_s
        self._opener = build_opener(_NoRedirect)

    @contextlib.contextmanager
    def answer(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        """The answer, its body unread.

        Raises:
            ClientError: the server refused, with its reason and status; or does not answer.
        """
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, dict(headers or {}), method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if self._token is not None:
            request.add_unredirected_header("Authorization", self._token)
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                yield answer
        except HTTPError as error:
            with error:
                raise ClientError(f"{method} {path}: {_reason(error)}", error.code) from None
        except URLError as error:
            raise ClientError(f"{self.url} does not answer: {error.reason}") from error
        except (OSError, HTTPException) as error:
            cut = str(error) or type(error).__name__
            raise ClientError(f"the answer of {self.url} was cut off: {cut}") from error

    def fetch(self, method: str, path: str, body: Any = None) -> tuple[bytes, Message]:
        """Body and headers of the answer."""
        with self.answer(method, path, body, {"Accept-Encoding": "gzip"}) as answer:
            content = answer.read()
            packed = answer.headers.get("Content-Encoding") == "gzip"
            return gzip.decompress(content) if packed else content, answer.headers

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The answer as Python values."""
        content, _ = self.fetch(method, path, body)
        return parsed(content, path)


def parsed(content: bytes, path: str) -> Any:
    """JSON as Python values."""
    try:
        return json.loads(content)
    except ValueError as error:
        raise ClientError(f"the answer to {path} is no JSON; is this an SQD server?") from error


def _reason(error: HTTPError) -> str:
    content = error.read()
    try:
        return f"{json.loads(content)['detail']} ({error.code})"
    except (ValueError, KeyError, TypeError):
        shown = content[:MOST_QUOTED].decode(errors="replace")
        return f"{error.code} {error.reason}: {' '.join(shown.split())}"
