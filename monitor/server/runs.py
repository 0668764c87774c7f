"""Runs: the list, one of them, its removal."""

from fastapi import APIRouter, Response

from monitor.server.errors import RUN_ERRORS
from monitor.server.parameters import RunId, StoreOfApp
from monitor.server.schemas import RunDetail, RunSummary
from monitor.server.summaries import describe, summarize
from monitor.store.lag import read_lag
from monitor.store.runs import delete_run, read_run, read_runs, run_ids
from monitor.store.workers import alive_workers

router = APIRouter(prefix="/api/runs", tags=["runs"])


@router.get("", responses={503: RUN_ERRORS[503]})
def list_runs(store: StoreOfApp) -> list[RunSummary]:
    """All runs, newest first."""
    now_s = store.now_s()
    return [summarize(record, now_s) for record in read_runs(store, run_ids(store))]


@router.get("/{run}", responses=RUN_ERRORS)
def read_run_detail(store: StoreOfApp, run: RunId) -> RunDetail:
    """Everything of one run beside its series."""
    record = read_run(store, run)
    now_s = store.now_s()
    return describe(record, read_lag(store, record, now_s), alive_workers(store), now_s)


@router.delete("/{run}", responses=RUN_ERRORS, status_code=204)
def remove_run(store: StoreOfApp, run: RunId) -> Response:
    """Remove a run and all its keys; a trainer that still pushes to it stops pushing."""
    delete_run(store, run)
    return Response(status_code=204)
