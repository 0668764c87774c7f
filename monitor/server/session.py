"""`/api/session`: what the caller's token is for, so that a page offers nothing that is refused."""

from fastapi import APIRouter, Request

from monitor.server.schemas import Session

router = APIRouter(tags=["login"])


@router.get("/api/session")
def read_session(request: Request) -> Session:
    """What this call's token, or its cookie, is for; without tokens everybody may do everything."""
    return getattr(request.state, "session", None) or Session(role="write", cookie=False)
