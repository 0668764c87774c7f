"""Say where the checkpoints from before turning points lie, newest first."""

import json
from typing import Annotated, Any

import typer

from monitor.cli.options import REDIS, AsJson, takes_settings
from monitor.config import Settings
from monitor.errors import MonitorError
from monitor.store.checkpoints import Pinned
from monitor.store.connection import open_store
from monitor.store.runs import RunRecord, read_run

NAME = "rewind"


@takes_settings(*REDIS)
def run(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")],
    json_: AsJson = False,
) -> None:
    store = open_store(*settings.found_redis())
    record = read_run(store, name)
    found = [(pinned, _alert(record, pinned)) for pinned in reversed(record.pinned)]
    if not found:
        raise MonitorError(
            f"no checkpoint of run {name!r} is pinned: it is, at a turning point, in a training "
            "that calls run.checkpoints(...) (docs/hooks.md)"
        )
    if json_:
        print(json.dumps([{**pinned.as_dict(), "alert": alert} for pinned, alert in found]))
        return
    for pinned, alert in found:
        print(_line(pinned))
        message = _shown(alert["message"])
        print(f"  before {_shown(alert['kind'])} at step {alert['step']:,}: {message}")


def _alert(record: RunRecord, pinned: Pinned) -> dict[str, Any]:
    return next(alert for alert in record.alerts if str(alert["id"]) == pinned.alert)


def _line(pinned: Pinned) -> str:
    kept = "" if pinned.pinned else ", not pinned: its trainer ended first"
    return f"{_shown(pinned.path)} on {_shown(pinned.host)} (step {pinned.step:,}{kept})"


def _shown(told: str) -> str:
    """On one line, whatever it holds: it is to be copied."""
    return told if told.isprintable() else repr(told)
