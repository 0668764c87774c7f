"""`/healthz` and `/readyz`, for whoever restarts or routes."""

from fastapi import APIRouter, Response

from monitor.errors import StoreError
from monitor.server.parameters import StoreOfApp
from monitor.server.schemas import Health, Readiness
from monitor.store.workers import alive_workers

router = APIRouter(tags=["health"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
async def check_health() -> Health:
    """The server answers."""
    return Health()


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz", responses={503: {"model": Readiness, "description": "Redis or every worker is away"}}
)
def check_readiness(store: StoreOfApp, response: Response) -> Readiness:
    """Redis is reachable and a worker has beaten lately."""
    try:
        store.ping()
        readiness = Readiness(redis=True, worker=bool(alive_workers(store)))
    except StoreError:
        readiness = Readiness(redis=False, worker=False)
    if not (readiness.redis and readiness.worker):
        response.status_code = 503
    return readiness
