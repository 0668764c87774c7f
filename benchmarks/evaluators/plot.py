"""Cost of a point against the samples it takes: evaluators.html, and a PNG if Chromium is there."""

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from benchmarks.evaluators.timing import Row
from benchmarks.hooks.plot import photograph

#: Size of the picture, pixels.
WIDTH, HEIGHT = 900, 560


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write the picture of `whole_rows`; what was written."""
    figure = go.Figure()
    for way in dict.fromkeys(row["way"] for row in rows):
        own = sorted((row for row in rows if row["way"] == way), key=lambda row: row["n"])
        x, y = [row["n"] for row in own], [row["seconds"] for row in own]
        dash = "dot" if way == "FID" else "solid"
        line = {"dash": dash}
        figure.add_trace(go.Scatter(x=x, y=y, name=way, mode="lines+markers", line=line))
    figure.update_xaxes(type="log", title="samples n")
    figure.update_yaxes(type="log", title="seconds a point")
    figure.update_layout(width=WIDTH, height=HEIGHT, template="plotly_white")
    html = folder / "evaluators.html"
    figure.write_html(html, include_plotlyjs=True, config={"displayModeBar": False})
    return [html, *photograph(html, WIDTH, HEIGHT)]
