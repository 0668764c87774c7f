"""Alerts: what a run raised, and whether people can be told of it."""

import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.options import REDIS, AsJson, takes_settings
from monitor.cli.server import open_channels
from monitor.config import Settings
from monitor.errors import ChannelError, MonitorError
from monitor.store.connection import open_store
from monitor.store.runs import read_run

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Url = Annotated[
    str | None,
    typer.Argument(metavar="[URL]", help="Address of apprise; default those of the settings."),
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run.")]


@app.command("test", help="Send a test notice to a channel, and say what became of it.")
@takes_settings("home")
def try_(settings: Settings, url: Url = None) -> None:
    # Here: apprise takes a third of a second to load.
    from monitor.alerts.channels import Channel, Letter

    channels = open_channels(settings) if url is None else [Channel(url)]
    if not channels:
        raise MonitorError("there is no channel: give a URL, or set `notify` (SQD_NOTIFY)")
    body = "This is a test of sqd-monitor. Alerts of your runs will come here."
    failed = []
    for channel in channels:
        try:
            channel.send(Letter("sqd-monitor: test", body, "info"))
            print(f"{channel.name}: sent")
        except ChannelError as error:
            failed.append(f"{channel.name} did not take it: {error}")
    if failed:
        raise MonitorError("; ".join(failed))


@app.command("list", help="List the alerts of a run, oldest first.")
@takes_settings(*REDIS)
def list_(settings: Settings, run: RunName, json_: AsJson = False) -> None:
    store = open_store(*settings.found_redis())
    found = read_run(store, run).alerts
    if json_:
        print(json.dumps(found))
        return
    table = Table("raised", "severity", "kind", "step", "state", "message", box=None)
    for alert in found:
        # As text: a message may look like rich's markup.
        table.add_row(*map(Text, _row(alert)))
    Console().print(table if found else "no alerts")


def _row(alert: dict[str, Any]) -> list[str]:
    raised = datetime.fromtimestamp(float(alert["time"])).astimezone()
    state = next((mark for mark in ("resolved", "acknowledged") if alert[mark]), "open")
    step = alert["step"]
    return [
        f"{raised:%Y-%m-%d %H:%M}",
        alert["severity"],
        alert["kind"],
        "–" if step is None else f"{step:,}",
        state,
        alert["message"],
    ]
