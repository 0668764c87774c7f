"""`GET /api/runs/{run}/series`: curves, as JSON or CSV."""

import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

import numpy as np
import orjson
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import BeforeValidator

from monitor.errors import UnknownMetricError
from monitor.server.errors import RUN_ERRORS
from monitor.server.parameters import MAX_STEP, CurvesOfApp, RunId, StoreOfApp
from monitor.server.schemas import SeriesColumns
from monitor.store.blocks import Kind, is_tensor_metric
from monitor.store.connection import Store
from monitor.store.series import Series, kinds_of, metric_names, read_series, segments_of
from monitor.types import STATUSES

#: Points of a curve when the client does not say: two for each pixel of a wide panel.
POINTS = 2000
#: Most points that may be asked for, short of everything.
MOST_POINTS = 100_000
#: Most metrics of one query: an address of 64 KiB holds no more of them.
MOST_METRICS = 500
#: Rows of CSV that are written at once.
CSV_ROWS = 10_000
NUMBERS = ("step", "epoch", "time", "value", "stderr")
COLUMNS = (*NUMBERS, "n", "status")

router = APIRouter(prefix="/api/runs", tags=["series"], responses=RUN_ERRORS)


def _blank_is_none(value: Any) -> Any:
    return None if value == "" else value


OptionalStep = Annotated[
    Annotated[int, Query(ge=0, le=MAX_STEP)] | None, BeforeValidator(_blank_is_none)
]
Metrics = Annotated[
    list[str],
    Query(
        max_length=MOST_METRICS,
        description="name of a metric, repeated; without it all but those of single tensors",
        examples=[["S.G", "Q"]],
    ),
]
First = Annotated[
    OptionalStep, Query(alias="from", description="first step; empty: no bound", examples=[0])
]
Last = Annotated[
    OptionalStep, Query(alias="to", description="last step; empty: no bound", examples=[5000])
]
Points = Annotated[
    int,
    Query(
        ge=0,
        le=MOST_POINTS,
        description="most points of a metric; 0: everything",
        examples=[2000],
    ),
]

Format = Annotated[
    Literal["json", "csv"],
    Query(
        description="`csv`: rows of metric,step,epoch,time,value,stderr,n,status",
        examples=["json"],
    ),
]


@router.get(
    "/{run}/series",
    response_model=dict[str, SeriesColumns],
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def read_run_series(
    store: StoreOfApp,
    curves: CurvesOfApp,
    run: RunId,
    metric: Metrics = [],  # noqa: B006 - FastAPI hands out copies
    first: First = None,
    last: Last = None,
    points: Points = POINTS,
    format: Format = "json",
) -> Response:
    """Points with from ≤ step ≤ to, keyed by metric; downsampling keeps the shape."""

    def answer() -> Response:
        kinds = _checked(store, run, metric)

        def read(names: Sequence[str]) -> dict[str, Series]:
            if points == 0:
                return read_series(store, run, names, first, last)
            return curves.read(run, {name: kinds[name] for name in names}, first, last, points)

        if format == "csv":
            parts = (part for name in kinds for part in _csv(name, read([name])[name]))
            header = ",".join(("metric", *COLUMNS)) + "\r\n"
            return _download(_led_by(header, parts), f"{run}.csv")
        return Response(_json(read(list(kinds))), media_type="application/json")

    # What is read whole takes as long as it takes: nobody waits for that.
    return await run_sync(answer, limiter=curves.turns if points else None)


def _checked(store: Store, run: str, metrics: Sequence[str]) -> dict[str, Kind]:
    """The metrics to read, each once, and which pushes they come from.

    It is looked up before the first byte of an answer is sent.
    """
    names = metrics or sorted(
        each for each in metric_names(store, run) if not is_tensor_metric(each)
    )
    kinds = kinds_of(store, run, names)
    missing = [each for each in metrics if each not in kinds]
    if missing or not kinds:
        segments_of(store, run)  # Raises where there is no such run.
    if missing:
        raise UnknownMetricError(f"run {run!r} has no metric {missing[0]!r}")
    return kinds


def _json(found: dict[str, Series]) -> bytes:
    """Columns keyed by metric; NaN becomes null."""
    columns = {
        name: {
            **{column: np.ascontiguousarray(getattr(series, column)) for column in NUMBERS},
            "n": series.n.astype(np.int64),
            "status": [STATUSES[code] for code in series.status.tolist()],
        }
        for name, series in found.items()
    }
    return orjson.dumps(columns, option=orjson.OPT_SERIALIZE_NUMPY)


def _csv(metric: str, series: Series) -> Iterator[str]:
    columns = series.as_json()
    rows = zip(*(columns[name] for name in COLUMNS), strict=True)
    while batch := list(itertools.islice(rows, CSV_ROWS)):
        text = io.StringIO()
        csv.writer(text).writerows((metric, *row) for row in batch)
        yield text.getvalue()


def _led_by(header: str, parts: Iterator[str]) -> Iterator[str]:
    yield header
    yield from parts


def _download(parts: Iterator[str], name: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return StreamingResponse(
        parts, media_type="text/csv", headers={"Content-Disposition": disposition}
    )
