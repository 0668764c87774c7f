"""Export a run at full resolution: csv, jsonl, parquet, or one html page with its curves."""

import csv
import json
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli.options import REDIS, takes_settings
from monitor.cli.report import draw_page
from monitor.config import Settings
from monitor.errors import MonitorError
from monitor.store.alerts import read_alerts
from monitor.store.connection import open_store
from monitor.store.series import Series, metrics_of, read_series
from monitor.turning.replay import NOT_FINITE

NAME = "export"
#: Bytes of a run's name in that of a file, which may have 255 with its ending.
MOST_BYTES = 240
COLUMNS = ("metric", "step", "epoch", "time", "value", "stderr", "n", "status")


class Format(str, Enum):
    """What `sqd export` writes."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"
    html = "html"


@takes_settings(*REDIS)
def run(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")],
    format_: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.csv,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="File; default stdout, for parquet and html a file of the run's name.",
        ),
    ] = None,
) -> None:
    store = open_store(*settings.found_redis())
    series = read_series(store, name, sorted(metrics_of(store, name)), None, None)
    if output is None and format_ in (Format.csv, Format.jsonl):
        sys.stdout.writelines(_lines(series, format_))
        return
    target = output or _file_of(name, format_)
    try:
        if format_ is Format.html:
            page = draw_page(name, series, read_alerts(store, name))
            target.write_text(page, encoding="utf-8")
        elif format_ is Format.parquet:
            _write_parquet(series, target)
        else:
            _write_lines(series, format_, target)
    except OSError as error:
        raise MonitorError(f"{target} cannot be written: {error.strerror or error}") from error
    print(f"wrote {target}", file=sys.stderr)


def _file_of(name: str, format_: Format) -> Path:
    """In this folder; a long name is cut to what file systems take."""
    return Path(f"{name.encode()[:MOST_BYTES].decode(errors='ignore')}.{format_.value}")


def _write_lines(series: dict[str, Series], format_: Format, target: Path) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        file.writelines(_lines(series, format_))


def _lines(series: dict[str, Series], format_: Format) -> Iterator[str]:
    return _csv(series) if format_ is Format.csv else _json_lines(series)


def _rows(series: dict[str, Series]) -> Iterator[tuple[Any, ...]]:
    for metric, points in series.items():
        yield from zip([metric] * points.step.size, *points.as_json().values(), strict=True)


def _csv(series: dict[str, Series]) -> Iterator[str]:
    class Echo:
        def write(self, line: str) -> str:
            return line

    writer = csv.writer(Echo(), lineterminator="\n")
    for row in (COLUMNS, *_rows(series)):
        yield writer.writerow(row)


def _json_lines(series: dict[str, Series]) -> Iterator[str]:
    """One object a step, as `sqd replay` reads it; JSON has no NaN, so it is a word there."""
    values: dict[int, dict[str, float | str | None]] = {}
    epochs: dict[int, float | None] = {}
    for metric, step, epoch, _, value, *_, status in _rows(series):
        values.setdefault(step, {})[metric] = NOT_FINITE if status == "nonfinite" else value
        epochs[step] = epochs.get(step) if epoch is None else epoch
    for step in sorted(values):
        line = {"step": step, "epoch": epochs[step], "values": values[step]}
        yield json.dumps(line) + "\n"


def _write_parquet(series: dict[str, Series], target: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    types = ("string", "int64", "double", "double", "double", "double", "int64", "string")
    fields = zip(COLUMNS, map(pyarrow.type_for_alias, types), strict=True)
    columns = list(zip(*_rows(series), strict=True)) or [()] * len(COLUMNS)
    table = pyarrow.table([list(column) for column in columns], pyarrow.schema(list(fields)))
    pyarrow.parquet.write_table(table, target)
