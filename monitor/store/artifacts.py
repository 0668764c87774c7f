"""Image grids and mode histograms of sample batches, by step."""

import json
from typing import Any

from monitor.errors import UnknownRunError
from monitor.store.connection import Store, reachable, text
from monitor.store.segments import ORDER_STRIDE, segments_of
from trainer_hooks import keys


def grid_steps(store: Store, run: str) -> list[int]:
    """Steps that have an image grid, ascending.

    Raises:
        UnknownRunError: there is no such run.
    """
    return sorted(fields_by_step(store, run, keys.grids(run)))


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
    return modes_of(step, _read(store, run, step, keys.modes(run), "mode histogram"))


def modes_of(step: int, stored: bytes) -> dict[str, Any]:
    """A mode histogram as it is shown, from how it is stored; checks nothing."""
    found: dict[str, Any] = json.loads(stored)
    if isinstance(found["expected"], float):  # the same for every mode
        found["expected"] = [found["expected"]] * len(found["counts"])
    return {"step": step, **found}


def _read(store: Store, run: str, step: int, key: str, what: str) -> bytes:
    field = fields_by_step(store, run, key).get(step)
    data: Any = None
    if field is not None:
        with reachable(store.redis_url):
            data = store.data.hget(key, field)
    if data is None:
        raise UnknownRunError(f"run {run!r} has no {what} at step {step}")
    return bytes(data)


def fields_by_step(store: Store, run: str, key: str) -> dict[int, str]:
    """Hash field of each step. Where the run went back, newer batches hide those of later steps.

    A field is ``<order>:<step>``, see `finish.payload_of`.
    """
    segments = segments_of(store, run)
    ordered = sorted(tuple(map(int, field.split(":"))) for field in stored_fields(store, key))
    found: dict[int, str] = {}  # By step, ascending: the newest batch has the highest.
    for segment in segments:
        _hide_from(found, segment.first_step)
        for order, step in ordered:
            if order // ORDER_STRIDE == segment.ordinal:
                _hide_from(found, step)
                found[step] = f"{order}:{step}"
    return found


def _hide_from(found: dict[int, str], first: int | None) -> None:
    """Take out what is of step `first` or later; None: nothing."""
    while first is not None and found and next(reversed(found)) >= first:
        found.popitem()


def stored_fields(store: Store, key: str) -> list[str]:
    """All fields of the hash, those that a resume hides included."""
    with reachable(store.redis_url):
        stored: Any = store.data.hkeys(key)
    return [text(field) for field in stored]
