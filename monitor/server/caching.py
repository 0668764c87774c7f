"""Answers that a browser may keep: tagged by their content, sent again only when it changed."""

import hashlib

from fastapi import Request
from fastapi.responses import Response

#: Hexadecimal digits of a tag: 128 bits.
TAG_DIGITS = 32


def tagged(request: Request, body: bytes, media_type: str, cache_control: str) -> Response:
    """`body` with a tag of its content, or 304 when the client already has it."""
    # Weak, since the body may still be compressed on its way.
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:TAG_DIGITS]}"'
    headers = {"ETag": tag, "Cache-Control": cache_control}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
