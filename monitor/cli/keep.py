"""Mark a run that no limit of age or size may remove, or give it limits of its own."""

from typing import Annotated

import typer

from monitor.cli.options import REDIS, takes_settings
from monitor.config import Settings
from monitor.store.connection import open_store
from monitor.store.limits import LEAST_GRIDS, MOST_GRIDS, NONE_OWN, OwnLimits, set_limits
from monitor.store.retention import keep_run, kept_runs

NAME = "keep"


@takes_settings(*REDIS)
def run(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")],
    days: Annotated[
        float | None, typer.Option(min=0, help="Remove it so many days after its end; 0: never.")
    ] = None,
    nbytes: Annotated[
        int | None,
        typer.Option(
            "--bytes",
            min=0,
            help="Thin its pictures while it takes more, then remove it; 0: never.",
        ),
    ] = None,
    grids: Annotated[
        int | None,
        typer.Option(
            min=LEAST_GRIDS, max=MOST_GRIDS, help="Image grids and mode histograms kept of it."
        ),
    ] = None,
    off: Annotated[
        bool, typer.Option("--off", help="Take the mark and its own limits back.")
    ] = False,
) -> None:
    own = OwnLimits(days, nbytes, grids)
    if off and own != NONE_OWN:
        raise typer.BadParameter("--off takes limits back; leave --days, --bytes and --grids out")
    store = open_store(*settings.found_redis())
    if own != NONE_OWN:
        set_limits(store, name, own)
        told = ", ".join(
            f"{key} {value}" for key, value in own.as_dict().items() if value is not None
        )
        marked = name in kept_runs(store, [name])
        print(f"{name}: {told}" + ("; but it is marked, no limit removes it" if marked else ""))
        return
    keep_run(store, name, on=not off)
    if off:
        set_limits(store, name, NONE_OWN)
    print(f"{name}: {'limits apply again' if off else 'no limit removes it'}")
