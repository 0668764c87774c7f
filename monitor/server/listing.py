"""The list of runs: those that are asked for, a page at a time."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from monitor.server.schemas import RunStatus
from monitor.store.connection import Store
from monitor.store.runs import RunRecord, read_runs, run_ids

#: Most runs of a page; all of them come without a limit.
MOST_RUNS = 1000
#: Most tags of one question.
MOST_TAGS = 20
#: How far a list may be skipped: beyond any number of runs.
MOST_OFFSET = 10**9

#: For /openapi.json: what stands beside the list.
LIST_HEADERS = {
    "X-Total-Count": {
        "description": "how many runs there are on all pages",
        "schema": {"type": "integer"},
    },
    "Link": {
        "description": "addresses of the next and the previous page, if there are any (RFC 8288)",
        "schema": {"type": "string"},
    },
}

Limit = Annotated[
    int | None,
    Query(ge=1, le=MOST_RUNS, description="most runs of the answer; without it all", examples=[50]),
]
Offset = Annotated[
    int, Query(ge=0, le=MOST_OFFSET, description="how many to leave out first", examples=[100])
]
Tags = Annotated[
    list[str],
    Query(
        alias="tag", max_length=MOST_TAGS, description="that it has; repeated: all of them",
        examples=[["demo"]],
    ),
]  # fmt: skip
Statuses = Annotated[
    list[RunStatus],
    Query(
        alias="status",
        max_length=MOST_TAGS,
        description="that it has; repeated: one of them",
        examples=[["running", "lost"]],
    ),
]


def choose_runs(
    store: Store,
    tags: Sequence[str],
    statuses: Sequence[RunStatus],
    offset: int,
    limit: int | None,
) -> tuple[list[RunRecord], int]:
    """One page of the runs that have all of `tags` and one of `statuses`, and how many there are.

    Args:
        store: where they are.
        tags, statuses: none of them: whatever a run has.
        offset: runs to leave out, the newest first.
        limit: most runs of the page; None: all.
    """
    end = None if limit is None else offset + limit
    names = run_ids(store)
    if not tags and not statuses:
        # Of the others nothing needs to be read.
        return read_runs(store, names[offset:end]), len(names)
    found = [
        record
        for record in read_runs(store, names)
        if set(tags) <= set(record.tags) and (not statuses or record.status in statuses)
    ]
    return found[offset:end], len(found)


def tell_pages(
    request: Request, response: Response, total: int, offset: int, limit: int | None
) -> None:
    """Say beside the list how long it is, and where it goes on."""
    response.headers["X-Total-Count"] = str(total)
    if limit is None:
        return
    places = {"next": offset + limit, "prev": max(0, offset - limit)}
    there = {"next": offset + limit < total, "prev": offset > 0}
    links = [
        f'<{_address(request, place)}>; rel="{name}"'
        for name, place in places.items()
        if there[name]
    ]
    if links:
        response.headers["Link"] = ", ".join(links)


def _address(request: Request, offset: int) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "offset"]
    return f"{request.url.path}?{urlencode([*kept, ('offset', offset)])}"
