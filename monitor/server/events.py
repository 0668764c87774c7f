"""Server-sent events: what changed, pushed to browsers, resumable without a gap."""

import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from monitor.server.errors import QUERY_ERRORS, RUN_ERRORS
from monitor.server.hub import ALL, Hub
from monitor.server.parameters import RunId, StoreOfApp
from monitor.store.connection import Store
from monitor.store.events import newest_id, still_holds
from monitor.store.runs import read_run
from trainer_hooks import keys

#: A comment line keeps proxies from closing a quiet line, seconds.
PING_S = 15
#: A browser that lost its line comes back after so many milliseconds.
RETRY_MS = 1000
#: Ids are two numbers that fit into 64 bits.
EVENT_ID = re.compile(r"\d{1,19}-\d{1,19}", re.ASCII)
#: Longest id that is looked at, characters: two numbers and what stands between.
MOST_ID = 64

router = APIRouter(prefix="/api", tags=["events"])

LastEventId = Annotated[
    str | None,
    Header(max_length=MOST_ID, description="resume after this event", examples=["1795300000000-0"]),
]
LastEventIdQuery = Annotated[
    str | None,
    Query(
        alias="last_event_id",
        max_length=MOST_ID,
        description="the same, for clients that cannot set headers",
        examples=["1795300000000-0"],
    ),
]
#: One event of a stream; the first has an id alone.
EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "resume after it with Last-Event-ID"},
        "event": {"enum": ["points", "alert", "status", "stop", "reset"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer", "description": "milliseconds"},
    },
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`points`, `alert`, `status`, `stop` and `reset` events (docs/api.md)",
        "content": {"text/event-stream": {"schema": EVENT}},
    }
}


@router.get(
    "/runs/{run}/events", response_class=EventSourceResponse, responses={**RUN_ERRORS, **STREAM}
)
def stream_run_events(
    store: StoreOfApp,
    request: Request,
    run: RunId,
    last_event_id: LastEventId = None,
    last_event_id_query: LastEventIdQuery = None,
) -> EventSourceResponse:
    """Points, alerts and status of one run as they come; ends when the run is deleted."""
    seen = last_event_id or last_event_id_query
    # The place before the status: a change between the two is told, not missed.
    place = _place(store, keys.events(run), seen)
    status = read_run(store, run).status
    greeting = [] if seen else [_status(run, status, place)]
    return _answer(request.app.state.hub, run, place, seen, greeting)


@router.get("/events", response_class=EventSourceResponse, responses={**QUERY_ERRORS, **STREAM})
def stream_all_events(
    store: StoreOfApp,
    request: Request,
    last_event_id: LastEventId = None,
    last_event_id_query: LastEventIdQuery = None,
) -> EventSourceResponse:
    """Newest points, alerts and status of all runs as they come."""
    seen = last_event_id or last_event_id_query
    return _answer(request.app.state.hub, None, _place(store, ALL, seen), seen, [])


def _place(store: Store, stream: str, seen: str | None) -> str:
    """Where to go on: after the event the client saw last if it is still there, else the newest."""
    if seen and EVENT_ID.fullmatch(seen) and still_holds(store, stream, seen):
        return seen
    return newest_id(store, stream)


def _answer(
    hub: Hub, run: str | None, place: str, seen: str | None, greeting: list[ServerSentEvent]
) -> EventSourceResponse:
    # An id without data: nothing is dispatched, but the browser resumes from here.
    first = [ServerSentEvent(id=place, retry=RETRY_MS), *greeting]
    if seen and seen != place:
        first.append(_reset(place))
    return EventSourceResponse(_events(hub, run, place, first), ping=PING_S)


async def _events(
    hub: Hub, run: str | None, place: str, first: list[ServerSentEvent]
) -> AsyncIterator[ServerSentEvent]:
    with hub.listen(run) as listener:
        for event in first:
            yield event
        while await listener.woken() and not hub.closed:
            page = await hub.read(listener, place)
            if page.reset:
                place = page.reset
                yield _reset(place)
            for entry in page.events:
                place = entry.id
                yield ServerSentEvent(entry.data, event=entry.name, id=entry.id)
            if page.gone and run is not None:
                yield _status(run, "deleted", None)
                return
            if page.more:
                listener.awake.set()


def _status(run: str, status: str, place: str | None) -> ServerSentEvent:
    data = json.dumps({"run": run, "status": status})
    return ServerSentEvent(data, event="status", id=place)


def _reset(place: str) -> ServerSentEvent:
    return ServerSentEvent("{}", event="reset", id=place)
