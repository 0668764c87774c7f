"""Delay against false alarms: turning.html, and a PNG if Chromium is there."""

from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from benchmarks.hooks.plot import photograph
from benchmarks.turning.report import Row
from benchmarks.turning.ways import OURS
from monitor.turning.evaluate import Score
from monitor.turning.settings import SENSITIVITIES

#: Size of the picture, pixels.
WIDTH, HEIGHT = 900, 560
#: Largest symbol, of F1 = 1, pixels; a detector that finds nothing has none.
SYMBOL = 22
#: Ends of the axes; what lies beyond is of no use to anybody.
MOST_FALSE, MOST_DELAY = 0.5, 10


def draw(title: str, rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write the picture; what was written. The larger a symbol, the better its F1."""
    figure = go.Figure()
    for name in dict.fromkeys(name for name, _, _ in rows):
        own = [(setting, score) for each, setting, score in rows if each == name and _shown(score)]
        if name == OURS:
            own.sort(key=lambda pair: -SENSITIVITIES[pair[0]])
        settings = [setting for setting, _ in own]
        figure.add_trace(
            go.Scatter(
                x=[score.false_per_healthy for _, score in own],
                y=[score.delay for _, score in own],
                name=name,
                mode="lines+markers+text" if name == OURS else "markers",
                text=settings,
                textposition="middle right",
                marker={"size": [SYMBOL * score.f1**2 for _, score in own]},
                cliponaxis=False,
            )
        )
    figure.update_xaxes(title="false alarms per healthy run", range=[-0.02, MOST_FALSE])
    figure.update_yaxes(title="median delay of the hits, sample batches", range=[-0.5, MOST_DELAY])
    figure.update_layout(title=title, width=WIDTH, height=HEIGHT, template="plotly_white")
    html = folder / "turning.html"
    figure.write_html(html, include_plotlyjs=True, config={"displayModeBar": False})
    return [html, *photograph(html, WIDTH, HEIGHT)]


def _shown(found: Score) -> bool:
    return (
        found.delay is not None
        and found.delay <= MOST_DELAY
        and found.false_per_healthy <= MOST_FALSE
    )
