"""The tables, as Markdown."""

from collections.abc import Sequence

from benchmarks.hooks.report import table
from benchmarks.turning.leads import Lead
from monitor.turning.evaluate import Score

#: A way's name, its setting and its score.
Row = tuple[str, str, Score]


def score_table(title: str, rows: Sequence[Row]) -> str:
    """One line a way."""
    header = (
        *(title, "setting", "runs (turned)", "precision", "recall", "F1"),
        *("median delay, batches", "error of the step, batches"),
        *("false per healthy run", "false per 1000 points"),
    )
    return table(header, [_cells(*row) for row in rows])


def lead_table(rows: Sequence[Lead]) -> str:
    """One line a kind of warning."""
    header = (
        *("warning", "before the turning point", "median lead, batches"),
        *("only after it", "healthy runs warned"),
    )
    return table(
        header,
        [
            [
                *(row.kind, f"{row.warned} of {row.turned}", _figure(row.lead)),
                *(str(row.late), f"{row.false} of {row.healthy}"),
            ]
            for row in rows
        ],
    )


def _cells(name: str, setting: str, found: Score) -> list[str]:
    return [
        *(name, setting, f"{found.runs} ({found.turned})"),
        *(f"{found.precision:.2f}", f"{found.recall:.2f}", f"{found.f1:.3f}"),
        *(_figure(found.delay), _figure(found.error)),
        *(f"{found.false_per_healthy:.3f}", f"{found.false_per_1000:.4f}"),
    ]


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
