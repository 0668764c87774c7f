"""Answers that a client may keep: tagged by their content, sent again only when it changed."""

import hashlib

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Hexadecimal digits of a tag: 128 bits.
TAG_DIGITS = 32
#: An answer may be kept, and is asked for again each time: a run that goes back comes to the same
#: step once more. Only the one who was let in keeps it.
ASK_AGAIN = "private, no-cache"
#: Longer answers are not tagged, bytes: hashing holds up all others, 4 MiB for about 10 ms.
MOST_TAGGED_BYTES = 4 * 2**20


def tagged(request: Request, body: bytes, media_type: str, cache_control: str) -> Response:
    """`body` with a tag of its content, or 304 when the client already has it."""
    tag = _tag(body)
    headers = {"ETag": tag, "Cache-Control": cache_control}
    if _has(request.headers, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


class Tagging:
    """Tags the JSON that `GET` brings, and answers 304 to who has it already.

    Pages poll: most answers are those of a moment ago. Streams pass untouched.

    Args:
        app: what is behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def send_tagged(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_plain_json(message):
                held.append(message)
                return
            if held:
                start = held.pop()
                if _is_whole(message):
                    message = _settle(Headers(scope=scope), start, message)
                await send(start)
            await send(message)

        await self._app(scope, receive, send_tagged)


def _settle(asked: Headers, start: Message, message: Message) -> Message:
    """Tag an answer whose whole body is here; the body to send, which a 304 has not."""
    body = message.get("body", b"")
    tag = _tag(body)
    headers = MutableHeaders(scope=start)
    headers["ETag"] = tag
    headers["Cache-Control"] = ASK_AGAIN
    if not _has(asked, tag):
        return message
    start["status"] = 304
    del headers["Content-Length"]
    del headers["Content-Type"]
    return {**message, "body": b""}


def _is_whole(message: Message) -> bool:
    return (
        message["type"] == "http.response.body"
        and not message.get("more_body")
        and len(message.get("body", b"")) <= MOST_TAGGED_BYTES
    )


def _is_plain_json(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    media_type = headers.get("content-type", "").partition(";")[0]
    return start["status"] == 200 and media_type == "application/json" and "etag" not in headers


def _tag(body: bytes) -> str:
    # Weak, since the body may still be compressed on its way.
    return f'W/"{hashlib.sha256(body).hexdigest()[:TAG_DIGITS]}"'


def _has(asked: Headers, tag: str) -> bool:
    """Whether the client has it; weak or strong is the same here."""
    named = asked.get("if-none-match", "")
    return named.strip() == "*" or tag.removeprefix("W/") in named
