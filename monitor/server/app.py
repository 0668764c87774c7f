"""The web application: REST, events and the dashboard over one store."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from importlib.metadata import PackageNotFoundError, version

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware

from monitor.alerts.rule import Rule
from monitor.errors import SettingsError
from monitor.server import (
    alerts,
    events,
    health,
    limits,
    page,
    prometheus,
    runs,
    samples,
    series,
    session,
    stopping,
    user_rules,
)
from monitor.server.assets import assets_dir
from monitor.server.auth import AUTH_ERRORS, Gate
from monitor.server.caching import Tagging
from monitor.server.curves import Curves
from monitor.server.errors import SHIELD_ERRORS, add_error_handlers
from monitor.server.hub import Hub
from monitor.server.login import login_router
from monitor.server.requests import Requests
from monitor.server.shield import LOOPBACK_HOSTS, Shield
from monitor.server.throttle import Throttle
from monitor.store.connection import Store

#: What needs a token, where there is one.
GUARDED = (runs, alerts, user_rules, series, samples, events, prometheus, stopping, session, limits)
#: Answers shorter than this fit into one packet anyway, bytes.
GZIP_FROM_BYTES = 1024
#: Higher levels cost twice as long and more for three percent.
GZIP_LEVEL = 1

DESCRIPTION = """Stability, quality and diversity of generative models in training.

Run ids are percent-encoded in paths. Times are Unix seconds (UTC). A missing number is `null`,
never NaN. Errors are `{"detail": "one sentence"}`.
"""


def create_app(
    store: Store,
    *,
    token: str | None = None,
    read_token: str | None = None,
    throttle: Throttle | None = None,
    allowed_hosts: Collection[str] | None = LOOPBACK_HOSTS,
    rules: Sequence[Rule] = (),
) -> FastAPI:
    """The application. Serve it with `monitor.server.serve.Server`, which stops promptly.

    Args:
        store: where the runs are; may be out of reach for a while (calls answer 503).
        token: who has it may do everything; None lets everybody in who reaches the port, so bind
            to loopback only.
        read_token: who has it may only read.
        throttle: how wrong tokens are slowed.
        allowed_hosts: names in the Host header, without port, that are answered; None for all,
            when bound to more than loopback.
        rules: of the settings; they are shown, and cannot be removed over REST.
    Raises:
        SettingsError: a token is empty, or there is a read token without a write token.
        MonitorError: the dashboard's files are missing.
    """
    assets_dir()
    gate = _gate(token, read_token, throttle)
    app = FastAPI(
        title="sqd-monitor",
        version=_version(),
        description=DESCRIPTION,
        lifespan=_lifespan,
        responses=SHIELD_ERRORS,
        # Their pages load scripts from elsewhere, which our content policy forbids.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    app.state.store, app.state.hub, app.state.curves = store, Hub(store), Curves(store)
    app.state.requests = Counter()
    app.state.rules = {rule.id: rule for rule in rules}
    _add_routes(app, gate)
    add_error_handlers(app)
    app.add_middleware(Tagging)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL)
    app.add_middleware(Shield, allowed_hosts=allowed_hosts)
    app.add_middleware(Requests, counted=app.state.requests)
    return app


def _gate(token: str | None, read_token: str | None, throttle: Throttle | None) -> Gate | None:
    if token is not None:
        return Gate(token, read_token, throttle=throttle)
    if read_token is not None:
        raise SettingsError("--read-token needs --token (SQD_TOKEN), or everybody could write")
    return None


def _add_routes(app: FastAPI, gate: Gate | None) -> None:
    app.include_router(login_router(gate))
    app.include_router(health.router)
    app.include_router(page.router)
    needs = [] if gate is None else [Depends(gate)]
    for guarded in GUARDED:
        app.include_router(
            guarded.router, dependencies=needs, responses={} if gate is None else AUTH_ERRORS
        )


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    hub: Hub = app.state.hub
    hub.start()
    try:
        yield
    finally:
        hub.close()
        await asyncio.to_thread(hub.join)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _version() -> str:
    try:
        return version("sqd-monitor")
    except PackageNotFoundError:  # a checkout that was not installed
        return "0"
