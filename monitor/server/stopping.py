"""Asking a trainer to stop, and taking it back."""

from fastapi import APIRouter, Response

from monitor.server.control_schemas import StopInfo, StopRequest
from monitor.server.errors import RUN_ERRORS
from monitor.server.parameters import RunId, StoreOfApp
from monitor.store.control import ask_to_stop, stop_of, withdraw

router = APIRouter(prefix="/api/runs", tags=["runs"])


@router.post("/{run}/stop", responses=RUN_ERRORS)
def request_stop(store: StoreOfApp, run: RunId, body: StopRequest | None = None) -> StopInfo | None:
    """Ask the run's trainer to stop: `run.should_stop()` is true there within a heartbeat.

    Whether it stops is its own affair. A request that waits already stays as it is; one for a
    process that has ended is not for the next. Null: it was taken back at this very moment.
    """
    asked = body or StopRequest()
    ask_to_stop(store, run, asked.by, asked.reason)
    stop = stop_of(store, run)
    return StopInfo(**stop.as_dict()) if stop else None


@router.delete("/{run}/stop", responses=RUN_ERRORS, status_code=204)
def withdraw_stop(store: StoreOfApp, run: RunId) -> Response:
    """Take the request to stop back, if there is one."""
    withdraw(store, run)
    return Response(status_code=204)
