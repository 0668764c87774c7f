"""Write a run that has ended to one file, from which `sqd import` restores it bit for bit."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import REDIS, takes_settings
from monitor.config import Settings
from monitor.store.archive.writing import archive_run
from monitor.store.connection import open_store

NAME = "archive"
#: Ends the name of an archive that was given none.
SUFFIX = ".sqdrun"
MIB = 2**20


@takes_settings(*REDIS)
def run(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; default RUN.sqdrun.")
    ] = None,
) -> None:
    store = open_store(*settings.found_redis())
    target = output or Path(f"{name}{SUFFIX}")
    archived = archive_run(store, name, target)
    size = f"{archived.keys:,} keys, {archived.nbytes / MIB:.1f} MiB"
    print(f"wrote {target} ({size})", file=sys.stderr)
