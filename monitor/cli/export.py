"""Export a run at full resolution: csv, jsonl, parquet, or one html page with its curves."""

import csv
import html
import json
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli.options import REDIS, takes_settings
from monitor.config import Settings
from monitor.errors import MonitorError
from monitor.store.blocks import is_tensor_metric
from monitor.store.connection import open_store
from monitor.store.series import Series, metrics_of, read_series

NAME = "export"
COLUMNS = ("metric", "step", "epoch", "time", "value", "stderr", "n", "status")
#: Panels of the html page come in this order, scalars after them.
PANELS = ("S", "Q", "D")
#: Height of one panel and of what is around them, pixels.
PANEL_PX, MARGIN_PX = 220, 120


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
        Path | None, typer.Option("-o", "--output", help="File; default stdout.")
    ] = None,
) -> None:
    store = open_store(*settings.found_redis())
    series = read_series(store, name, sorted(metrics_of(store, name)), None, None)
    if output is None and format_ in (Format.csv, Format.jsonl):
        sys.stdout.writelines(_lines(series, format_))
        return
    target = output or Path(f"{name}.{format_.value}")
    try:
        _write(name, series, format_, target)
    except OSError as error:
        raise MonitorError(f"{target} cannot be written: {error.strerror or error}") from error
    print(f"wrote {target}", file=sys.stderr)


def _write(name: str, series: dict[str, Series], format_: Format, target: Path) -> None:
    if format_ is Format.parquet:
        _write_parquet(series, target)
    elif format_ is Format.html:
        target.write_text(_page(name, series), encoding="utf-8")
    else:
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
    """One object a step, as `sqd replay` reads it."""
    values: dict[int, dict[str, float | None]] = {}
    epochs: dict[int, float | None] = {}
    for metric, step, epoch, _, value, *_ in _rows(series):
        values.setdefault(step, {})[metric] = value
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


def _page(name: str, series: dict[str, Series]) -> str:
    from plotly.subplots import make_subplots

    panels = _panels(series)
    if not panels:
        raise MonitorError(f"run {name!r} has no points to export")
    figure = make_subplots(rows=len(panels), shared_xaxes=True, subplot_titles=list(panels))
    for row, (panel, metrics) in enumerate(panels.items(), 1):
        for metric in metrics:
            points = series[metric].as_json()
            figure.add_scatter(x=points["step"], y=points["value"], name=metric, row=row, col=1)
        if panel.startswith("S"):
            figure.update_yaxes(type="log", title="rad", row=row, col=1)
    height = PANEL_PX * len(panels) + MARGIN_PX
    title = {"text": html.escape(name)}
    figure.update_layout(height=height, title=title, template="plotly_white")
    page: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return page


def _panels(metrics: Iterable[str]) -> dict[str, list[str]]:
    """Whole-network metrics and scalars by what they are of; S, Q and D first."""
    panels: dict[str, list[str]] = {name: [] for name in PANELS}
    for metric in metrics:
        if not is_tensor_metric(metric):
            panels.setdefault(_panel_of(metric), []).append(metric)
    return {panel: found for panel, found in panels.items() if found}


def _panel_of(metric: str) -> str:
    """Metrics of one unit share a panel: D's companions are counts and shares, not nats."""
    if metric.endswith("@epoch"):
        return "S per epoch"
    if metric.startswith("D.") and metric != "D.cwj":
        return metric
    return metric.partition(".")[0]
