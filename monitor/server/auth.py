"""Who may read and who may change: anybody on loopback, or whoever has the token for it."""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import Depends, HTTPException, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from monitor.errors import SettingsError
from monitor.server.schemas import ErrorDetail, Session
from monitor.server.shield import HARMLESS
from monitor.server.throttle import Throttle

COOKIE = "sqd_session"
#: A browser stays logged in for so long, seconds: a month of watching.
COOKIE_S = 30 * 24 * 3600
MISSING = "this server needs its token: send `Authorization: Bearer <token>` or log in at /login"
WRONG = "the token is wrong"
READ_ONLY = "this token may only read; changes need the write token (--token)"

Role = Literal["write", "read"]

#: For /openapi.json: what every protected call may answer.
AUTH_ERRORS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorDetail, "description": "no token"},
    403: {"model": ErrorDetail, "description": "a wrong token, or one that may only read"},
    429: {"model": ErrorDetail, "description": "too many wrong tokens at a time"},
}

_bearer = HTTPBearer(auto_error=False, description="one of the tokens the server was started with")
_cookie = APIKeyCookie(
    name=COOKIE, auto_error=False, description="set by POST /api/login", scheme_name="Session"
)


class Gate:
    """Checks the token of each call.

    Args:
        token: what those must know who may do everything.
        read_token: what those must know who may only look; None: there is no such token.
        throttle: holds back the answers to wrong tokens.
        clock: Unix seconds, for the age of cookies.
    Raises:
        SettingsError: a token is empty, which would let everybody in, or both are the same.
    """

    def __init__(
        self,
        token: str,
        read_token: str | None = None,
        *,
        throttle: Throttle | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        tokens: dict[Role, str | None] = {"write": token, "read": read_token}
        if "" in tokens.values():
            raise SettingsError(
                "a token is empty; set --token (SQD_TOKEN) and --read-token (SQD_READ_TOKEN) to "
                "long random ones"
            )
        if token == read_token:
            raise SettingsError("--read-token is the same as --token, so its readers could write")
        self._secrets = {role: secret.encode() for role, secret in tokens.items() if secret}
        self._throttle = throttle or Throttle()
        self._clock = clock

    async def __call__(
        self,
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        session: Annotated[str | None, Depends(_cookie)],
    ) -> None:
        """Let the call pass, or answer 401 (nothing or an old cookie) or 403 (not with this)."""
        if bearer is not None:
            # Headers are read as Latin-1, whatever was sent.
            role = await self.admit(request, bearer.credentials.encode("latin-1", "replace"))
        else:
            role = await self._of_session(request, session)
        request.state.session = Session(role=role, cookie=bearer is None)
        if role == "read" and request.method not in HARMLESS:
            raise HTTPException(403, READ_ONLY)

    async def admit(self, request: Request, token: bytes) -> Role:
        """What `token` is for; a wrong one is answered late, with 403."""
        # Digests are of one length: how long the right token is takes no time to tell.
        told = hashlib.sha256(token).digest()
        found: list[Role] = [
            role
            for role, secret in self._secrets.items()
            if hmac.compare_digest(told, hashlib.sha256(secret).digest())
        ]
        if not found:
            await self._throttle.hold(request)
            raise HTTPException(403, WRONG)
        return found[0]

    def session(self, role: Role) -> str:
        """What the cookie holds: proves the token until it ends, does not give it away."""
        return self._signed(role, int(self._clock()) + COOKIE_S)

    def role_of(self, session: str) -> Role | None:
        """What a cookie is for; None if it has ended or is none of ours."""
        ends = session.partition(".")[0]
        if not (ends.isascii() and ends.isdecimal() and len(ends) <= len(str(2**53))):
            return None
        found: list[Role] = [
            role
            for role in self._secrets
            if hmac.compare_digest(session.encode(), self._signed(role, int(ends)).encode())
        ]
        return found[0] if found and int(ends) > self._clock() else None

    async def recognise(self, request: Request, session: str | None) -> Role | None:
        """What the cookie of a call is for; one that is none of ours is answered late."""
        role = self.role_of(session) if session else None
        if session and role is None:
            # Made with a guessed token, it would be as good as the token.
            await self._throttle.hold(request)
        return role

    async def _of_session(self, request: Request, session: str | None) -> Role:
        role = await self.recognise(request, session)
        if role is None:
            raise HTTPException(401, MISSING, {"WWW-Authenticate": "Bearer"})
        return role

    def _signed(self, role: Role, ends_s: int) -> str:
        proof = hmac.new(self._secrets[role], f"sqd {role} until {ends_s}".encode(), "sha256")
        return f"{ends_s}.{proof.hexdigest()}"
