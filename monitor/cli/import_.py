"""Restore a run from the file that `sqd archive` wrote: all of it, or nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from monitor.cli.options import REDIS, takes_settings
from monitor.config import Settings
from monitor.store.archive.importing import Show, import_run
from monitor.store.connection import open_store
from monitor.store.lag import Lag
from monitor.store.runs import RunRecord

NAME = "import"
#: Nothing waits of a run that has ended.
NO_LAG = Lag(0, 0.0, 0, 0.0, 0, 0, 0)


@takes_settings(*REDIS)
def run(
    settings: Settings,
    archive: Annotated[Path, typer.Argument(help="File that `sqd archive` wrote.")],
) -> None:
    store = open_store(*settings.found_redis())
    record = import_run(store, archive, SHOW)
    print(f"imported {record.id}: no limit removes it, until `sqd keep --off`")


def show_run(record: RunRecord) -> None:
    """Make what REST would answer; raises what its answer would fail with."""
    # Here: only this command reads what others wrote.
    from monitor.server.summaries import describe

    _encode(describe(record, NO_LAG, [], record.started))


def show_modes(told: Mapping[str, Any]) -> None:
    """The same of a mode histogram."""
    from monitor.server.schemas import Modes

    _encode(Modes.model_validate(told))


def _encode(told: BaseModel) -> None:
    json.dumps(told.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()


SHOW = Show(show_run, show_modes)
