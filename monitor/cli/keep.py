"""Mark a run that no limit of age or size may remove."""

from typing import Annotated

import typer

from monitor.cli.options import REDIS, takes_settings
from monitor.config import Settings
from monitor.store.connection import open_store
from monitor.store.retention import keep_run

NAME = "keep"


@takes_settings(*REDIS)
def run(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")],
    off: Annotated[bool, typer.Option("--off", help="Take the mark back.")] = False,
) -> None:
    store = open_store(*settings.found_redis())
    keep_run(store, name, on=not off)
    print(f"{name}: {'limits apply again' if off else 'no limit removes it'}")
