"""Who may read: anybody on loopback, or whoever has the token."""

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from monitor.errors import SettingsError
from monitor.server.schemas import ErrorDetail, Login

COOKIE = "sqd_session"
#: A browser stays logged in for so long, seconds: a month of watching.
COOKIE_S = 30 * 24 * 3600
_MISSING = "this server needs its token: send `Authorization: Bearer <token>` or log in at /"
_WRONG = "the token is wrong"

#: For /openapi.json: what every protected call may answer.
AUTH_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorDetail, "description": "no token"},
    403: {"model": ErrorDetail, "description": "a wrong token"},
}

_bearer = HTTPBearer(auto_error=False, description="the token the server was started with")
_cookie = APIKeyCookie(
    name=COOKIE, auto_error=False, description="set by POST /api/login", scheme_name="Session"
)


class Gate:
    """Checks the token of each call.

    Args:
        token: what callers must know.
    Raises:
        SettingsError: the token is empty, which would let everybody in.
    """

    def __init__(self, token: str) -> None:
        if not token:
            raise SettingsError("the token is empty; set --token or SQD_TOKEN to a long random one")
        self._token = token.encode()
        #: What the cookie holds: proves the token, does not give it away.
        self.session = hmac.new(self._token, b"sqd session", "sha256").hexdigest()

    async def __call__(
        self,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        session: Annotated[str | None, Depends(_cookie)],
    ) -> None:
        """Let the call pass, or answer 401 (nothing or an old cookie) or 403 (a wrong token)."""
        if bearer is not None:
            # Headers are read as Latin-1, whatever was sent.
            if not self.opens(bearer.credentials.encode("latin-1", "replace")):
                raise HTTPException(403, _WRONG)
        elif session is None or not hmac.compare_digest(session.encode(), self.session.encode()):
            raise HTTPException(401, _MISSING, {"WWW-Authenticate": "Bearer"})

    def opens(self, token: bytes) -> bool:
        """Whether it is the token; takes the same time for every wrong one."""
        return hmac.compare_digest(token, self._token)


def login_router(gate: Gate | None) -> APIRouter:
    """`POST /api/login`: the token for a cookie that scripts cannot read."""
    router = APIRouter(tags=["login"])

    @router.post(
        "/api/login",
        status_code=204,
        responses={
            403: AUTH_ERRORS[403],
            422: {"model": ErrorDetail, "description": "no token in the body"},
        },
    )
    async def login(body: Login, request: Request) -> Response:
        """Exchange the token for a session cookie (HttpOnly, SameSite=Strict)."""
        response = Response(status_code=204)
        if gate is None:
            return response
        if not gate.opens(body.token.encode(errors="replace")):
            raise HTTPException(403, _WRONG)
        response.set_cookie(
            COOKIE,
            gate.session,
            max_age=COOKIE_S,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    return router
