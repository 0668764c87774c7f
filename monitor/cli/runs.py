"""List the runs: status, last step, newest S, Q and D."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from monitor.cli.options import AsJson, BlobUrl, Home, RedisUrl
from monitor.config import load_settings
from monitor.store.connection import open_store
from monitor.store.runs import RunRecord, read_runs, run_ids

NAME = "runs"
#: Metrics in the table, beside S of every network.
SHOWN = ("Q", "D")


def run(
    redis_url: RedisUrl = None, blob_url: BlobUrl = None, home: Home = None, json_: AsJson = False
) -> None:
    settings = load_settings(redis_url=redis_url, blob_url=blob_url, home=home)
    store = open_store(*settings.found_redis())
    records = read_runs(store, run_ids(store))
    if json_:
        print(json.dumps([_plain(record) for record in records]))
        return
    table = Table("run", "status", "step", "S", *SHOWN, "alerts", box=None)
    for record in records:
        table.add_row(*_row(record))
    Console().print(table if records else "no runs yet")


def _plain(record: RunRecord) -> dict[str, Any]:
    latest = {name: point for name, point in record.latest.items() if "/" not in name}
    return {
        "id": record.id,
        "status": record.status,
        "started": record.started,
        "last_step": last_step(record),
        "latest": latest,
        "alerts": len(record.alerts),
    }


def last_step(record: RunRecord) -> int | None:
    """Step of the newest row that is stored."""
    return max(record.done_steps.values(), default=None)


def _row(record: RunRecord) -> list[str]:
    angles = {
        name[2:]: point["value"]
        for name, point in record.latest.items()
        if name.startswith("S.") and "/" not in name and "@" not in name and point["value"]
    }
    shown = [record.latest.get(metric, {}).get("value") for metric in SHOWN]
    step = last_step(record)
    return [
        record.id,
        record.status,
        "–" if step is None else f"{step:,}",
        ", ".join(f"{name} {value:.2g}" for name, value in sorted(angles.items())) or "–",
        *("–" if value is None else f"{value:.3f}" for value in shown),
        str(len(record.alerts)),
    ]
