"""Image grids and mode histograms of sample batches."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from monitor.server.caching import ASK_AGAIN, tagged
from monitor.server.errors import RUN_ERRORS
from monitor.server.parameters import RunId, Step, StoreOfApp
from monitor.server.schemas import Modes
from monitor.store.artifacts import grid_steps, read_grid, read_modes

#: For /openapi.json.
IMAGE = {"type": "string", "format": "binary"}

router = APIRouter(prefix="/api/runs", tags=["samples"], responses=RUN_ERRORS)


@router.get("/{run}/samples")
def list_samples(store: StoreOfApp, run: RunId) -> list[int]:
    """Steps that have an image grid, ascending."""
    return grid_steps(store, run)


@router.get(
    "/{run}/samples/{step}",
    response_class=Response,
    responses={
        200: {
            "content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}},
            "description": "the image grid",
        },
        304: {"description": "the grid that the client already has"},
    },
)
def read_sample_grid(store: StoreOfApp, run: RunId, step: Step, request: Request) -> Response:
    """The image grid of the batch at `step`."""
    grid = read_grid(store, run, step)
    return tagged(request, grid, "image/webp", ASK_AGAIN)


@router.get("/{run}/modes/{step}", response_model=Modes)
def read_mode_histogram(store: StoreOfApp, run: RunId, step: Step) -> dict[str, Any]:
    """How often each mode of the reference set came in the batch at `step`."""
    return read_modes(store, run, step)
