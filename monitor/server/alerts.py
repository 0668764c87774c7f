"""Alerts of a run: the list, and what people say to them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from monitor.server.alert_schemas import MUTE_S, Alert, Delivery, Mute
from monitor.server.errors import RUN_ERRORS
from monitor.server.parameters import RunId, StoreOfApp
from monitor.store.alerts import mark_alert
from monitor.store.deliveries import read_deliveries
from monitor.store.runs import read_run

router = APIRouter(prefix="/api/runs/{run}", tags=["alerts"], responses=RUN_ERRORS)

AlertId = Annotated[str, Path(description="id of the alert", max_length=64, examples=["9434cf53"])]


@router.get("/alerts", response_model=list[Alert])
def list_alerts(store: StoreOfApp, run: RunId) -> list[dict[str, Any]]:
    """Turning points and other alerts, oldest first."""
    return read_run(store, run).alerts


@router.post("/alerts/{alert}/acknowledge", response_model=Alert)
def acknowledge_alert(store: StoreOfApp, run: RunId, alert: AlertId) -> dict[str, Any]:
    """Say that somebody has seen it: it is no longer counted, and nobody is told of it any more."""
    return mark_alert(store, run, alert, "acknowledged", store.now_s())


@router.post("/alerts/{alert}/mute", response_model=Alert)
def mute_alert(
    store: StoreOfApp, run: RunId, alert: AlertId, mute: Mute | None = None
) -> dict[str, Any]:
    """Send no notices of this run's alerts of its kind (and rule) for a while; 0 ends that."""
    seconds = MUTE_S if mute is None else mute.seconds
    until = store.now_s() + seconds if seconds else None
    return mark_alert(store, run, alert, "muted_until", until)


@router.post("/alerts/{alert}/resolve", response_model=Alert)
def resolve_alert(store: StoreOfApp, run: RunId, alert: AlertId) -> dict[str, Any]:
    """Say that it is over; one that is over stays as it is."""
    return mark_alert(store, run, alert, "resolved", store.now_s())


@router.get("/deliveries", response_model=list[Delivery])
def list_deliveries(store: StoreOfApp, run: RunId) -> list[dict[str, Any]]:
    """What became of the notices of this run's alerts, channel by channel, oldest first."""
    read_run(store, run)
    return read_deliveries(store, run)
