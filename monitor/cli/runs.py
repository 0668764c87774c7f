"""List the runs: status, last step, newest S, Q and D."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.options import REDIS, AsJson, takes_settings
from monitor.config import Settings
from monitor.store.alerts import unseen_alerts
from monitor.store.blocks import is_tensor_metric
from monitor.store.connection import open_store
from monitor.store.runs import RunRecord, read_runs, run_ids

NAME = "runs"
#: Columns of a line that no terminal shows.
MOST_COLUMNS = 1000
#: Metrics in the table, beside S of every network.
SHOWN = ("Q", "D")


@takes_settings(*REDIS)
def run(settings: Settings, json_: AsJson = False) -> None:
    store = open_store(*settings.found_redis())
    records = read_runs(store, run_ids(store))
    if json_:
        print(json.dumps([_plain(record) for record in records]))
        return
    table = Table("run", "status", "step", "S", *SHOWN, "alerts", box=None)
    table.columns[0].overflow = "fold"  # A name is to be copied, not to be guessed.
    for record in records:
        # As text: a name may look like rich's markup.
        table.add_row(*map(Text, _row(record)))
    console = Console()
    if not console.is_terminal:
        # A line a run, for whoever reads it after us: as wide as it takes.
        console.width = MOST_COLUMNS
    console.print(table if records else "no runs yet")


def _plain(record: RunRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "status": record.status,
        "started": record.started,
        "last_step": _last_step(record),
        "latest": {
            name: point for name, point in record.latest.items() if not is_tensor_metric(name)
        },
        "alerts": len(record.alerts),
        "open_alerts": len(unseen_alerts(record.alerts)),
    }


def _last_step(record: RunRecord) -> int | None:
    """Step of the newest row that is stored."""
    steps = [s.last_step for s in record.segments if s.last_step is not None]
    return steps[-1] if steps else None


def _row(record: RunRecord) -> list[str]:
    angles = {
        name[2:]: point["value"]
        for name, point in record.latest.items()
        if name.startswith("S.") and not is_tensor_metric(name) and "@" not in name
    }
    shown = [record.latest.get(metric, {}).get("value") for metric in SHOWN]
    step = _last_step(record)
    return [
        record.id,
        record.status,
        "–" if step is None else f"{step:,}",
        ", ".join(f"{name} {_number(value, '.2g')}" for name, value in sorted(angles.items()))
        or "–",
        *(_number(value, ".3f") for value in shown),
        str(len(unseen_alerts(record.alerts))),
    ]


def _number(value: float | None, shape: str) -> str:
    return "–" if value is None else format(value, shape)
