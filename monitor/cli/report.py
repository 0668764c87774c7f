"""A run as one HTML page that stands alone: its alerts, and its curves at full resolution."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from monitor.errors import MonitorError
from monitor.server.assets import PLOTLY, assets_dir
from monitor.store.blocks import is_tensor_metric
from monitor.store.series import Series

#: Panels come in this order, scalars after them.
PANELS = ("S", "Q", "D")
#: Height of one panel, between two, and of what is around all, pixels.
PANEL_PX, GAP_PX, TOP_PX, BOTTOM_PX = 170, 50, 30, 40
#: Colours of Okabe and Ito, told apart by people who do not see all, as on the dashboard: of the
#: networks, of quality and diversity, and of what else a panel holds.
NETWORKS = {"G": "#0072b2", "D": "#d55e00"}
METRICS = {"Q": "#009e73", "D": "#cc79a7"}
OTHERS = ("#56b4e9", "#e69f00", "#7a7f87")
INK, GRID = "#1b1f24", "#e8eaed"
#: Lines at the steps of alerts, by severity.
MARKS = {
    "critical": {"color": "#b3261e", "width": 1.5, "dash": "dash"},
    "warning": {"color": "#8a5a00", "width": 1, "dash": "dot"},
}
#: Lines of fewer points show each of them.
FEW = 200
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px system-ui, sans-serif; color: #1b1f24; max-width: 1200px; margin: 24px auto;
  padding: 0 16px; }}
h1 {{ font-size: 22px; margin: 0 0 8px; overflow-wrap: anywhere; }}
li {{ margin: 4px 0; }}
</style>
<script>{script}</script>
</head>
<body>
<h1>{title}</h1>
{alerts}
{curves}
</body>
</html>
"""


def draw_page(name: str, series: Mapping[str, Series], alerts: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    Args:
        name: of the run.
        series: points by metric.
        alerts: in the order of detection, as `read_alerts` gives them.
    Raises:
        MonitorError: there is no point to draw.
    """
    panels = _panels(series)
    if not panels:
        raise MonitorError(f"run {name!r} has no points to export")
    told = [alert for alert in alerts if alert["severity"] != "info"]
    return PAGE.format(
        title=html.escape(name),
        script=(assets_dir() / PLOTLY).read_text(encoding="utf-8"),
        alerts=_list(told),
        curves=_figure(panels, series, told),
    )


def _list(alerts: Iterable[Mapping[str, Any]]) -> str:
    items = "".join(f"<li>{html.escape(alert['message'])}</li>" for alert in alerts)
    return f"<ul>{items}</ul>" if items else "<p>No alert.</p>"


def _figure(
    panels: Mapping[str, list[str]],
    series: Mapping[str, Series],
    alerts: Iterable[Mapping[str, Any]],
) -> str:
    """The panels one below the other, with a line through all at each alert."""
    from plotly.subplots import make_subplots

    inner = PANEL_PX * len(panels) + GAP_PX * (len(panels) - 1)
    figure = make_subplots(rows=len(panels), shared_xaxes=True, vertical_spacing=GAP_PX / inner)
    for row, (panel, metrics) in enumerate(panels.items(), 1):
        top = 1 - (row - 1) * (PANEL_PX + GAP_PX) / inner
        figure.update_layout({f"legend{row}": {"y": top, "yanchor": "top", "x": 1.01}})
        figure.add_annotation(
            text=f"<b>{html.escape(panel)}</b>", x=0, y=top, xref="paper", yref="paper",
            xanchor="left", yanchor="bottom", showarrow=False,
        )  # fmt: skip
        for number, metric in enumerate(metrics):
            line = _line(metric, series[metric], OTHERS[number % len(OTHERS)])
            figure.add_scatter(**line, legend=f"legend{row}", row=row, col=1)
        if panel.startswith("S"):
            figure.update_yaxes(type="log", title="rad", row=row, col=1)
    for alert in alerts:
        if alert["step"] is not None:
            figure.add_vline(x=alert["step"], line=MARKS[alert["severity"]])
    figure.update_xaxes(gridcolor=GRID, zeroline=False)
    figure.update_xaxes(title="step", showticklabels=True, row=len(panels), col=1)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, exponentformat="power", nticks=5)
    figure.update_layout(
        template="none", height=inner + TOP_PX + BOTTOM_PX, font={"color": INK},
        margin={"l": 64, "r": 8, "t": TOP_PX, "b": BOTTOM_PX}, showlegend=True,
    )  # fmt: skip
    drawn: str = figure.to_html(include_plotlyjs=False, full_html=False)
    return drawn


def _line(metric: str, points: Series, other: str) -> dict[str, Any]:
    """A metric as Plotly takes it; `other` is its colour where it has none of its own."""
    columns = points.as_json()
    network = metric.partition(".")[2].removesuffix("@epoch")
    return {
        "x": columns["step"],
        "y": columns["value"],
        "name": html.escape(metric),
        "mode": "lines+markers" if points.step.size < FEW else "lines",
        "line": {"color": METRICS.get(metric) or NETWORKS.get(network, other), "width": 1.5},
        "marker": {"size": 4},
    }


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
