"""The tables, as Markdown: one row a figure, with what issue 7 asks of it."""

from typing import Any

from benchmarks.hooks.report import table

#: Figures of a row: its key, how it is written, and the goal.
LATENCY = {
    "p50_ms": ("p50", "ms", ""),
    "p95_ms": ("p95", "ms", ""),
    "max_ms": ("longest", "ms", ""),
}
Figures = dict[str, tuple[str, str, str]]
FIGURES: dict[str, Figures] = {
    "live": {**LATENCY, "points": ("points", "", "")},
    "tabs": {"lines": ("lines to the server", "", "1")},
    "day": {
        "heap_mb": ("heap", "MB", ""),
        "most_mb": ("renderer of a browser left alone, at most", "MB", "< 300"),
        "left_mb": ("the same, afterwards", "MB", ""),
        "renderer_mb": ("renderer, with an inspector", "MB", ""),
        "nodes": ("DOM nodes", "", ""),
        "listeners": ("listeners", "", ""),
        "points_held": ("points in the plot", "", ""),
        "drawings": ("drawings", "", ""),
        "longest_task_ms": ("longest task", "ms", ""),
        "key_to_drawing_ms": ("from a key to its drawing", "ms", ""),
    },
    "long": {
        "ms": ("until painted", "ms", "≤ 2000"),
        "requests": ("requests", "", ""),
        "kilobytes": ("received", "kB", ""),
        **{**LATENCY, "p95_ms": ("p95", "ms", "≤ 300")},
    },
    "list": {
        "shown_ms": ("until shown", "ms", ""),
        "long_tasks": ("tasks of 50 ms and more", "", ""),
        "longest_task_ms": ("longest task", "ms", ""),
        "frame_p50_ms": ("frame p50", "ms", ""),
        "frame_p99_ms": ("frame p99", "ms", ""),
        "renderer_mb": ("renderer", "MB", ""),
        "nodes": ("DOM nodes", "", ""),
    },
}
#: Of the two rows of `live`: alone, and among others.
LIVE_GOALS = ("< 1000", "< 1500")


def tables(results: dict[str, Any]) -> str:
    """All figures in one table."""
    lines = []
    for part, figures in FIGURES.items():
        for number, row in enumerate(results.get(part, ())):
            goals = {"p95_ms": LIVE_GOALS[number]} if part == "live" else {}
            lines += _lines(row, figures, goals)
    return table(("what", "figure", "measured", "goal"), lines)


def _lines(row: dict[str, Any], figures: Figures, goals: dict[str, str]) -> list[list[str]]:
    values = {**row, **row.get("after", {})}
    return [
        [row["name"], name, _written(values[key], unit), goals.get(key, goal)]
        for key, (name, unit, goal) in figures.items()
        if key in values
    ]


def _written(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}".strip()
