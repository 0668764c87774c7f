"""Server-sent events: what changed, pushed to browsers, resumable without a gap."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from monitor.server.errors import QUERY_ERRORS, RUN_ERRORS
from monitor.server.hub import Hub, Topic, stream_of
from monitor.server.parameters import RunId, StoreOfApp
from monitor.server.places import Places, split_id
from monitor.store.connection import Store
from monitor.store.events import newest_id, still_holds
from monitor.store.runs import read_run
from trainer_hooks import keys
from trainer_hooks.names import MAX_RUN_NAME

#: A comment line keeps proxies from closing a quiet line, seconds.
PING_S = 15
#: A browser that lost its line comes back after so many milliseconds.
RETRY_MS = 1000
#: Ids are two numbers that fit into 64 bits.
EVENT_ID = re.compile(r"\d{1,19}-\d{1,19}", re.ASCII)
#: Runs that one line may follow: as many as a browser may have windows.
MOST_TOPICS = 64
#: Longest id that is looked at, characters: two numbers and what stands around, of each run.
MOST_ID = 42 * (MOST_TOPICS + 2)

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
Runs = Annotated[
    list[Annotated[str, Query(max_length=MAX_RUN_NAME)]],
    Query(
        alias="run",
        max_length=MOST_TOPICS,
        description="that is followed as on its own stream; repeated: several on one line",
        examples=[["demo"]],
    ),
]
Newest = Annotated[
    bool,
    Query(description="beside them the newest of all runs, as without `run`", examples=[True]),
]
#: One event of a stream; the first has an id alone.
EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "resume after it with Last-Event-ID"},
        "event": {"enum": ["start", "points", "alert", "status", "thinned", "stop", "reset"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer", "description": "milliseconds"},
    },
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "events, of the names that docs/api.md lists",
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
    places = Places([run], [place])
    return _answer(request.app.state.hub, places, [seen], greeting)


@router.get("/events", response_class=EventSourceResponse, responses={**QUERY_ERRORS, **STREAM})
def stream_all_events(
    store: StoreOfApp,
    request: Request,
    runs: Runs = [],  # noqa: B006 - FastAPI hands out copies
    newest: Newest = False,
    last_event_id: LastEventId = None,
    last_event_id_query: LastEventIdQuery = None,
) -> EventSourceResponse:
    """Newest points, alerts and status of all runs as they come, or all events of some runs."""
    seen = last_event_id or last_event_id_query
    shared = bool(runs or newest)
    topics: list[Topic] = [*([None] if newest or not runs else []), *dict.fromkeys(runs)]
    seen_of = split_id(seen, len(topics)) if shared else [seen]
    found = [_place(store, stream_of(t), s) for t, s in zip(topics, seen_of, strict=True)]
    return _answer(request.app.state.hub, Places(topics, found, shared=shared), seen_of, [])


def _place(store: Store, stream: str, seen: str | None) -> str:
    """Where to go on: after the event the client saw last if it is still there, else the newest."""
    if seen and EVENT_ID.fullmatch(seen) and still_holds(store, stream, seen):
        return seen
    return newest_id(store, stream)


def _answer(
    hub: Hub, places: Places, seen: Sequence[str | None], greeting: list[ServerSentEvent]
) -> EventSourceResponse:
    hello = places.id(places.topics[0])
    # An id without data: nothing is dispatched, but the browser resumes from here. Who shares a
    # line has to know where to resume when others come to it.
    start = {"data": "{}", "event": "start"} if places.shared else {}
    first = [ServerSentEvent(id=hello, retry=RETRY_MS, **start), *greeting]
    for topic, before in zip(places.topics, seen, strict=True):
        if before and before != places[topic]:
            first.append(_reset(places.id(topic)))
    return EventSourceResponse(_events(hub, places, first), ping=PING_S)


async def _events(
    hub: Hub, places: Places, first: list[ServerSentEvent]
) -> AsyncIterator[ServerSentEvent]:
    with hub.listen(places.topics) as listener:
        for event in first:
            yield event
        while (due := await listener.woken()) and not hub.closed:
            for topic in places.going_on(due):
                page = await hub.read(topic, places[topic])
                if page.reset:
                    yield _reset(places.move(topic, page.reset))
                for entry in page.events:
                    place = places.move(topic, entry.id)
                    yield ServerSentEvent(entry.data, event=entry.name, id=place)
                if page.gone and topic is not None:
                    yield _status(topic, "deleted", places.id(topic) if places.shared else None)
                    if not places.shared:
                        return
                    places.end(topic)
                elif page.more:
                    listener.wake([topic])


def _status(run: str, status: str, place: str | None) -> ServerSentEvent:
    data = json.dumps({"run": run, "status": status})
    return ServerSentEvent(data, event="status", id=place)


def _reset(place: str) -> ServerSentEvent:
    return ServerSentEvent("{}", event="reset", id=place)
