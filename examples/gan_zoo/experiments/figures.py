"""The SQD paper's Figures 3 to 5 and 7 from recordings: S, Q and D, with and without a penalty."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from benchmarks.hooks.plot import photograph
from examples.gan_zoo.experiments.plan import LOSSES
from examples.gan_zoo.experiments.recording import series
from examples.gan_zoo.experiments.table import Outcome

#: Okabe–Ito colours, as in the dashboard: of networks, and of GANs without and with a penalty.
NETWORKS = {"S.G": "#0072B2", "S.D": "#D55E00"}
PLAIN, PENALISED = "#D55E00", "#009E73"
#: Points that a curve of S is drawn with: the largest angle of each stretch, so that jumps stay.
STRETCHES = 300
#: Size of a panel and of what is around all of them, pixels.
WIDTH, HEIGHT, MARGIN = 330, 240, 120
TITLES = {
    "S": "rad",
    "Q": "Q, visual quality",
    "D": "D, nats",
}


def angles(outcomes: Sequence[Outcome], title: str) -> go.Figure:
    """Figure 3: the angles of both networks, a panel a model."""
    names = [each.planned.model for each in outcomes]
    columns = min(len(names), len(LOSSES))
    figure = _grid(names, columns, title)
    for place, each in enumerate(outcomes):
        row, column = divmod(place, columns)
        found = series(each.path)
        for network, colour in NETWORKS.items():
            if network in found:
                x, y = _largest(*found[network])
                line = {"width": 1, "color": colour}
                curve = go.Scatter(
                    x=x, y=y, name=network, line=line, legendgroup=network, showlegend=place == 0
                )
                figure.add_trace(curve, row=row + 1, col=column + 1)
        _mark(figure, each, row + 1, column + 1)
    figure.update_yaxes(type="log", exponentformat="power", dtick=1, matches="y")
    figure.update_yaxes(title=TITLES["S"], col=1)
    return figure


def pairs(outcomes: Sequence[Outcome], metric: str, title: str) -> go.Figure:
    """Figures 4 and 5: Q or D of each loss with and without GP in one panel; all seeds."""
    names = [loss.upper() for loss in LOSSES]
    figure = _grid(names, len(names), title)
    for each in outcomes:
        name, _, penalty = each.planned.model.partition("-")
        found = series(each.path)
        if metric not in found:
            continue
        x, y = found[metric]
        colour, group = (PENALISED, "with GP") if penalty else (PLAIN, "without GP")
        first = each.planned.seed == min(other.planned.seed for other in outcomes)
        curve = go.Scatter(
            x=x,
            y=y,
            name=group,
            legendgroup=group,
            line={"width": 1.2, "color": colour, "dash": "solid" if first else "dot"},
            showlegend=first and name == names[0],
        )
        figure.add_trace(curve, row=1, col=names.index(name) + 1)
        if not penalty and first:
            _mark(figure, each, 1, names.index(name) + 1)
    figure.update_yaxes(title=TITLES[metric], col=1)
    figure.update_yaxes(rangemode="tozero", matches="y")
    return figure


def save(figure: go.Figure, path: Path) -> list[Path]:
    """As a page of its own, and as a PNG where a Chromium is installed; what was written."""
    figure.write_html(path, include_plotlyjs=True, config={"displayModeBar": False})
    return [path, *photograph(path, figure.layout.width, figure.layout.height)]


def _grid(names: Sequence[str], columns: int, title: str) -> go.Figure:
    rows = math.ceil(len(names) / columns)
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=names, horizontal_spacing=0.04,
        vertical_spacing=0.3 / rows,
    )  # fmt: skip
    figure.update_layout(
        width=WIDTH * columns, height=HEIGHT * rows + MARGIN, template="plotly_white", title=title
    )
    return figure


def _mark(figure: go.Figure, each: Outcome, row: int, column: int) -> None:
    """The turning point, as the paper's dashed line."""
    if each.turned is not None:
        line = {"dash": "dash", "width": 1, "color": "#666"}
        figure.add_vline(x=each.turned, line=line, row=row, col=column)


def _largest(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(steps) <= STRETCHES:
        return steps, values
    parts = np.array_split(np.arange(len(steps)), STRETCHES)
    return steps[[part[-1] for part in parts]], np.array([values[part].max() for part in parts])
