"""`/login`, and the calls behind it: the token for a cookie that scripts cannot read."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import ValidationError

from monitor.server.auth import AUTH_ERRORS, COOKIE, COOKIE_S, Gate
from monitor.server.login_page import PAGE_HEADERS, form, welcome
from monitor.server.schemas import ErrorDetail, Login

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
#: Fields of a form that are read.
MOST_FIELDS = 8
#: After a form the browser asks for the next page with GET.
SEE_OTHER = 303
#: For /openapi.json: a body in either form.
_BODY = {"content": {kind: {"schema": Login.model_json_schema()} for kind in (JSON, FORM)}}
_PAGE: dict[str, Any] = {"content": {"text/html": {"schema": {"type": "string"}}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    303: {"description": "after a form: on to the page that was asked for"},
    403: {"model": ErrorDetail, "description": "a wrong token; to a form the page again", **_PAGE},
    422: {"model": ErrorDetail, "description": "no token in the body"},
    429: {**AUTH_ERRORS[429], **_PAGE},
}


def login_router(gate: Gate | None) -> APIRouter:
    """The page, login and logout; without a gate there is nothing to log in to."""
    router = APIRouter(tags=["login"])

    @router.get("/login", include_in_schema=False)
    async def show_login(request: Request, next: str = "/") -> Response:
        """A plain form, which works without scripts."""
        after = inside(next)
        if gate is None:
            return RedirectResponse(after, SEE_OTHER)
        role = await gate.recognise(request, request.cookies.get(COOKIE))
        return HTMLResponse(form(after) if role is None else welcome(role), headers=PAGE_HEADERS)

    @router.post(
        "/api/login",
        status_code=204,
        responses=_ANSWERS,
        openapi_extra={"requestBody": {"required": True, **_BODY}},
    )
    async def login(request: Request) -> Response:
        """Exchange a token for a session cookie (HttpOnly, SameSite=Strict); JSON or a form."""
        told = await _told(request)
        after = inside(told.next)
        answer = _answer(request, after)
        if gate is None:
            return answer
        try:
            role = await gate.admit(request, told.token.encode(errors="replace"))
        except HTTPException as refused:
            if not _is_form(request):
                raise
            page = form(after, str(refused.detail))
            return HTMLResponse(page, refused.status_code, PAGE_HEADERS)
        answer.set_cookie(
            COOKIE,
            gate.session(role),
            max_age=COOKIE_S,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    @router.post("/api/logout", status_code=204, responses={303: _ANSWERS[303]})
    async def logout(request: Request) -> Response:
        """Take the session cookie back; after a form, show the login page."""
        answer = _answer(request, "/login")
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return router


def inside(path: str) -> str:
    """`path` if it stays on this server, else the list of runs."""
    leads_out = path[1:2] in ("/", "\\") or any(ord(char) <= ord(" ") for char in path)
    return "/" if not path.startswith("/") or leads_out or not path.isascii() else path


def _answer(request: Request, after: str) -> Response:
    return RedirectResponse(after, SEE_OTHER) if _is_form(request) else Response(status_code=204)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


async def _told(request: Request) -> Login:
    body = await request.body()
    try:
        if not _is_form(request):
            return Login.model_validate_json(body)
        fields: Mapping[str, Any] = dict(
            parse_qsl(body.decode(errors="replace"), max_num_fields=MOST_FIELDS)
        )
        return Login.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RequestValidationError(
            [{**entry, "loc": ("body", *entry["loc"])} for entry in found]
        ) from None
    except ValueError:
        entry = {"loc": ("body",), "msg": f"more than {MOST_FIELDS} fields", "input": None}
        raise RequestValidationError([entry]) from None
