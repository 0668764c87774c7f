"""Run recorded points (JSON lines, as `sqd export --format jsonl` writes) through the detector."""

import json
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import AsJson, takes_settings
from monitor.config import Settings
from monitor.turning.replay import replay

NAME = "replay"


@takes_settings("sensitivity")
def run(
    settings: Settings,
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="Recorded points.")],
    json_: AsJson = False,
) -> None:
    found = False
    for turning in replay(file, sensitivity=settings.sensitivity):
        found = True
        print(json.dumps(turning.as_dict()) if json_ else f"{turning.kind}: {turning.message}")
    if not found and not json_:
        print("no turning point")
