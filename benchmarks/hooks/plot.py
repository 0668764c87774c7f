"""The figures as one picture: ratios in the training, single calls, and calls in an outage."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

#: Size of the picture, pixels: its width, and the height of a row and of a panel's title and axis.
WIDTH, ROW_HEIGHT, PANEL_HEIGHT = 1300, 26, 110
#: Ours, and everyone else's.
OURS, OTHERS = "#0b6e4f", "#8a8d91"
#: Longest wait for the browser that draws the PNG, seconds.
BROWSER_S = 60

Row = dict[str, Any]
Panel = tuple[str, list[Any]]


def draw(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write hooks.html, and hooks.png where a Chromium is installed; what was written."""
    panels = [panel for panel in _panels(results) if panel[1]]
    rows = [len({trace.y[0] for trace in traces}) for _, traces in panels]
    height = sum(PANEL_HEIGHT + ROW_HEIGHT * n for n in rows)
    figure = make_subplots(
        rows=len(panels),
        cols=1,
        subplot_titles=[title for title, _ in panels],
        row_heights=[n / sum(rows) for n in rows],
        vertical_spacing=PANEL_HEIGHT / height,
    )
    for number, (_, traces) in enumerate(panels, 1):
        for trace in traces:
            figure.add_trace(trace, row=number, col=1)
    figure.update_xaxes(type="log")
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(width=WIDTH, height=height, showlegend=False, template="plotly_white")
    html = folder / "hooks.html"
    figure.write_html(html, include_plotlyjs=True, config={"displayModeBar": False})
    return [html, *photograph(html, WIDTH, height)]


def _panels(results: dict[str, Any]) -> list[Panel]:
    training, outages = _present(results["training"]), _present(results["outages"])
    return [
        ("Iteration time with / without (95% interval)", [_ratio(row) for row in training]),
        (
            "One call between two iterations, µs (p50 to p99)",
            [_span(row["name"], row["call"], "p99_us") for row in training],
        ),
        (
            "One call of 5 scalars after the other, µs (p50 to p99)",
            [_span(row["name"], row["call"], "p99_us") for row in _present(results["alone"])],
        ),
        (
            "One call in an outage, µs (p50 to longest; calls that never returned are not shown)",
            [
                _span(f"{row['name']}, {row['how']}", row["call"], "max_us")
                for row in outages
                if row["call"]
            ],
        ),
    ]


def _present(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if "missing" not in row]


def _ratio(row: Row) -> Any:
    low, high = row["ratio_95"]
    ends = {"array": [high - row["ratio"]], "arrayminus": [row["ratio"] - low]}
    marker = {"size": 9, "color": _colour(row["name"])}
    return go.Scatter(
        x=[row["ratio"]], y=[row["name"]], error_x=ends, mode="markers", marker=marker
    )


def _span(name: str, call: dict[str, float], end: str) -> Any:
    line = {"color": _colour(name)}
    return go.Scatter(x=[call["p50_us"], call[end]], y=[name] * 2, mode="lines+markers", line=line)


def _colour(name: str) -> str:
    return OURS if name.startswith("sqd") else OTHERS


def photograph(html: Path, width: int, height: int) -> list[Path]:
    """The page as a PNG beside it, if a Chromium is installed."""
    browser = shutil.which("chromium")
    if browser is None:
        return []
    png = html.with_suffix(".png")
    subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--window-size={width},{height}", f"--screenshot={png}", html.resolve().as_uri()),
        ],
        capture_output=True,
        timeout=BROWSER_S,
        check=False,
    )
    return [png] if png.exists() else []
