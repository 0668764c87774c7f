"""Image grids and mode histograms of sample batches, by step."""

import json
from typing import Any

import numpy as np

from monitor.errors import UnknownRunError
from monitor.store.connection import Store, reachable, text
from monitor.store.series import read_rows, segments_of
from trainer_hooks import keys


def grid_steps(store: Store, run: str) -> list[int]:
    """Steps that have an image grid, ascending.

    Raises:
        UnknownRunError: there is no such run.
    """
    return sorted(_fields_by_step(store, run, keys.grids(run)))


def read_grid(store: Store, run: str, step: int) -> bytes:
    """The image grid at `step` (WebP).

    Raises:
        UnknownRunError: the run or a grid at this step does not exist; says which.
    """
    return _read(store, run, step, keys.grids(run), "image grid")


def read_modes(store: Store, run: str, step: int) -> dict[str, Any]:
    """The mode histogram at `step`.

    Raises:
        UnknownRunError: the run or a histogram at this step does not exist; says which.
    """
    found: dict[str, Any] = json.loads(_read(store, run, step, keys.modes(run), "mode histogram"))
    return {"step": step, **found}


def _read(store: Store, run: str, step: int, key: str, what: str) -> bytes:
    field = _fields_by_step(store, run, key).get(step)
    if field is None:
        raise UnknownRunError(f"run {run!r} has no {what} at step {step}")
    with reachable(store.redis_url):
        data = store.data.hget(key, field)
    if not isinstance(data, bytes):
        raise UnknownRunError(f"run {run!r} has no {what} at step {step} any more")
    return data


def _fields_by_step(store: Store, run: str, key: str) -> dict[int, str]:
    """Hash field of each step; of two batches at one step, and after a resume, the newer."""
    segments = segments_of(store, run)
    with reachable(store.redis_url):
        stored: Any = store.data.hkeys(key)
    fields = {text(name) for name in stored}
    found: dict[int, str] = {}
    for segment in segments:
        if segment.first_step is not None:
            found = {step: field for step, field in found.items() if step < segment.first_step}
        span = range(segment.first_row_of("samples"), segment.rows["samples"])
        if not len(span):
            continue
        present, index, _ = read_rows(store, run, segment.id, "samples", span, [])
        for row in np.flatnonzero(present).tolist():
            field = f"{segment.id}:{span.start + row}"
            if field in fields:
                found[int(index.step[row])] = field
    return found
