"""Export a run at full resolution: csv, jsonl, parquet, or one html page with its curves."""

import csv
import json
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli.options import BlobUrl, Home, RedisUrl
from monitor.config import load_settings
from monitor.errors import MonitorError
from monitor.store.blocks import is_tensor_metric
from monitor.store.connection import open_store
from monitor.store.series import Series, metrics_of, read_series

NAME = "export"
COLUMNS = ("metric", "step", "epoch", "time", "value", "stderr", "n", "status")
#: Height of one panel of the html page, pixels.
PANEL_PX = 220


class Format(str, Enum):
    """What `sqd export` writes."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"
    html = "html"


def run(
    name: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")],
    format_: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.csv,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File; default stdout.")
    ] = None,
    redis_url: RedisUrl = None,
    blob_url: BlobUrl = None,
    home: Home = None,
) -> None:
    settings = load_settings(redis_url=redis_url, blob_url=blob_url, home=home)
    store = open_store(*settings.found_redis())
    series = read_series(store, name, sorted(metrics_of(store, name)), None, None)
    if format_ in (Format.parquet, Format.html) and output is None:
        output = Path(f"{name}.{format_.value}")
    try:
        _write(name, series, format_, output)
    except OSError as error:
        raise MonitorError(f"{output} cannot be written: {error.strerror}") from error


def _write(run_id: str, series: dict[str, Series], format_: Format, output: Path | None) -> None:
    if format_ is Format.parquet:
        assert output is not None
        _write_parquet(series, output)
    elif format_ is Format.html:
        assert output is not None
        output.write_text(_page(run_id, series), encoding="utf-8")
    else:
        lines = _csv(series) if format_ is Format.csv else _json_lines(series)
        target = output.open("w", encoding="utf-8", newline="") if output else sys.stdout
        target.writelines(lines)
        if output:
            target.close()


def _rows(series: dict[str, Series]) -> Iterator[tuple[Any, ...]]:
    for metric, points in series.items():
        columns = points.as_json()
        yield from zip([metric] * points.step.size, *columns.values(), strict=True)


def _csv(series: dict[str, Series]) -> Iterator[str]:
    class Echo:
        def write(self, line: str) -> str:
            return line

    writer = csv.writer(Echo(), lineterminator="\n")
    yield writer.writerow(COLUMNS)
    for row in _rows(series):
        yield writer.writerow(["" if cell is None else cell for cell in row])


def _json_lines(series: dict[str, Series]) -> Iterator[str]:
    """One object a step, as `sqd replay` reads them; values that failed are null."""
    epochs: dict[int, float | None] = {}
    values: dict[int, dict[str, float | None]] = {}
    for metric, points in series.items():
        if is_tensor_metric(metric):
            continue
        columns = points.as_json()
        for step, epoch, value in zip(
            columns["step"], columns["epoch"], columns["value"], strict=True
        ):
            epochs[step] = epoch
            values.setdefault(step, {})[metric] = value
    for step in sorted(values):
        line = {"step": step, "epoch": epochs[step], "values": values[step]}
        yield json.dumps(line) + "\n"


def _write_parquet(series: dict[str, Series], output: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = list(zip(*_rows(series), strict=True)) or [()] * len(COLUMNS)
    table = pyarrow.table(dict(zip(COLUMNS, map(list, columns), strict=True)))
    pyarrow.parquet.write_table(table, output)


def _page(run_id: str, series: dict[str, Series]) -> str:
    from plotly.subplots import make_subplots

    panels: dict[str, list[str]] = {}
    for metric in series:
        if not is_tensor_metric(metric):
            panels.setdefault(metric.split(".")[0].split("@")[0], []).append(metric)
    order = sorted(panels, key=lambda name: ("S", "Q", "D").index(name) if name in "SQD" else 9)
    if not order:
        raise MonitorError(f"run {run_id!r} has no points to export")
    figure = make_subplots(rows=len(order), shared_xaxes=True, subplot_titles=order)
    for row, name in enumerate(order, 1):
        for metric in panels[name]:
            points = series[metric].as_json()
            figure.add_scatter(x=points["step"], y=points["value"], name=metric, row=row, col=1)
        if name == "S":
            figure.update_yaxes(type="log", title="rad", row=row, col=1)
    title = {"text": run_id.replace("<", "&lt;")}
    figure.update_layout(height=PANEL_PX * len(order) + 120, title=title, template="plotly_white")
    page: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return page
