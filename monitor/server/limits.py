"""Limits that one run has of its own."""

from fastapi import APIRouter

from monitor.server.control_schemas import LimitsInfo
from monitor.server.errors import RUN_ERRORS
from monitor.server.parameters import RunId, StoreOfApp
from monitor.store.limits import OwnLimits, set_limits

router = APIRouter(prefix="/api/runs", tags=["runs"])


@router.put("/{run}/limits", responses=RUN_ERRORS)
def put_limits(store: StoreOfApp, run: RunId, body: LimitsInfo) -> LimitsInfo:
    """Give a run limits of its own, instead of those it had; what is missing or null is as for all.

    A run that is marked (`sqd keep`) is not removed by them either.
    """
    set_limits(store, run, OwnLimits(**body.model_dump()))
    return body
