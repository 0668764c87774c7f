"""How servers stand beside ours: quantiles, ratios, the table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.hooks.report import table
from benchmarks.server.points import METRICS

#: The row that all others are compared with.
OURS = "sqd"
Rounds = Sequence[Sequence[float]]
Row = Mapping[str, Any]


def ratio(rounds: Rounds, ours: Rounds) -> float:
    """Median over rounds of one server's median by that of ours in the same round."""
    pairs = zip(rounds, ours, strict=True)
    return float(np.median([np.median(block) / np.median(beside) for block, beside in pairs]))


def quantile(rounds: Rounds, share: float) -> float:
    """Of all rounds together."""
    return float(np.quantile(np.concatenate([np.asarray(block) for block in rounds]), share))


def comparison_table(rows: Mapping[str, Row], clients: Sequence[int]) -> str:
    """One row a server, ours first."""
    header = ["server", "steps", "points in an answer", "spikes kept", "answer kB", "memory MB"]
    for count in clients:
        who = f"{count} client{'s' if count > 1 else ''}"
        header += [f"{who}: p50 ms", "p99 ms", "times ours"]
    return table(header, [_cells(name, row, rows[OURS], clients) for name, row in rows.items()])


def _cells(name: str, row: Row, ours: Row, clients: Sequence[int]) -> list[str]:
    if "missing" in row:
        return [name, row["missing"], *[""] * (4 + 3 * len(clients))]
    untrue = f" ({row['untrue']} untrue)" if row["untrue"] else ""
    cells = [
        name,
        f"{row['steps']:,}",
        f"{row['points']:,}{untrue}",
        f"{row['spikes']} of {len(METRICS)}",
        f"{row['answer_bytes'] / 1e3:.1f}",
        f"{row['memory_bytes'] / 1e6:.0f}",
    ]
    for count in clients:
        rounds = row["rounds_ms"][str(count)]
        times = ratio(rounds, ours["rounds_ms"][str(count)])
        cells += [f"{quantile(rounds, 0.5):.1f}", f"{quantile(rounds, 0.99):.1f}", f"{times:.2f}"]
    return cells
