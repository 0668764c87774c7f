"""Send what trainers left on disk: after an outage, a crash, or runs with mode="offline"."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.cli.options import REDIS, takes_settings
from monitor.config import Settings
from monitor.errors import MonitorError
from monitor.store.connection import open_store
from trainer_hooks.errors import HookError, SpoolBusyError
from trainer_hooks.sync import spools_in, sync

NAME = "sync"
MIB = 2**20

Directory = Annotated[
    Path | None,
    typer.Argument(help="A spool, or a folder of them; default the home's.", show_default=False),
]


@takes_settings(*REDIS, "blob_url")
def run(settings: Settings, directory: Directory = None) -> None:
    folder = directory or settings.home / "spool"
    if directory is not None and not folder.is_dir():
        raise MonitorError(f"{folder} is no folder")
    folders = spools_in(folder)
    if not folders:
        print(f"nothing to send in {folder}")
        return
    store = open_store(*settings.found_redis())
    failed = [each for each in folders if not _sent(each, store.redis_url, store.blob_url)]
    if failed:
        raise MonitorError(f"{len(failed)} of {len(folders)} spools were not sent; see above")


def bytes_in(folder: Path) -> int:
    """Size of what lies there; a living trainer may remove it while we look."""
    size = 0
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            size += path.stat().st_size
    return size


def _sent(folder: Path, redis_url: str, blob_url: str) -> bool:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    total = bytes_in(folder)
    try:
        with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as shown:
            task = shown.add_task(folder.name, total=total)
            synced = sync(
                folder,
                redis_url=redis_url,
                blob_url=blob_url,
                progress=lambda outgoing: shown.advance(task, outgoing.nbytes),
            )
    except SpoolBusyError as error:
        print(error)
        return True
    except HookError as error:
        typer.echo(f"sqd: {error}", err=True)
        return False
    lost = f", lost {synced.lost}" if synced.lost else ""
    print(f"{synced.run}: {synced.frames} frames sent, {synced.nbytes / MIB:.1f} MiB{lost}")
    return True
