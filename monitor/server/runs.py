"""Runs: the list, one of them, its removal."""

from fastapi import APIRouter, Request, Response

from monitor.server.errors import QUERY_ERRORS, RUN_ERRORS
from monitor.server.listing import (
    LIST_HEADERS,
    Limit,
    Offset,
    Statuses,
    Tags,
    choose_runs,
    tell_pages,
)
from monitor.server.parameters import RunId, StoreOfApp
from monitor.server.schemas import RunDetail, RunSummary
from monitor.server.summaries import describe, summarize
from monitor.store.lag import read_lag
from monitor.store.limits import limits_of
from monitor.store.runs import delete_run, read_run
from monitor.store.workers import alive_workers

router = APIRouter(prefix="/api/runs", tags=["runs"])


@router.get("", responses={**QUERY_ERRORS, 200: {"headers": LIST_HEADERS}})
def list_runs(
    store: StoreOfApp,
    request: Request,
    response: Response,
    tags: Tags = [],  # noqa: B006 - FastAPI hands out copies
    statuses: Statuses = [],  # noqa: B006
    offset: Offset = 0,
    limit: Limit = None,
) -> list[RunSummary]:
    """Runs, newest first; without a limit all of them."""
    found, total = choose_runs(store, tags, statuses, offset, limit)
    tell_pages(request, response, total, offset, limit)
    now_s = store.now_s()
    return [summarize(record, now_s) for record in found]


@router.get("/{run}", responses=RUN_ERRORS)
def read_run_detail(store: StoreOfApp, run: RunId) -> RunDetail:
    """Everything of one run beside its series."""
    record = read_run(store, run)
    now_s = store.now_s()
    lag, own = read_lag(store, record, now_s), limits_of(store, run)
    return describe(record, lag, alive_workers(store), now_s, own)


@router.delete("/{run}", responses=RUN_ERRORS, status_code=204)
def remove_run(store: StoreOfApp, run: RunId) -> Response:
    """Remove a run and all its keys; a trainer that still pushes to it stops pushing."""
    delete_run(store, run)
    return Response(status_code=204)
