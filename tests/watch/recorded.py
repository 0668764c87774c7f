"""A training that turns twice, as rows; and what the detector says to them in order."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from monitor.alerts.grouping import Grouping
from monitor.alerts.raising import turning_alert
from monitor.store.blocks import Cell, Kind
from monitor.store.jobs import JobQueue
from monitor.turning import TurningPointDetector
from monitor.types import Alert
from tests.store.posting import START_S, Trainer, finish

#: Steps between sample batches, steps in all.
EVERY, STEPS = 20, 1600


class Row(NamedTuple):
    """One push: its kind, number, step and points."""

    kind: Kind
    seq: int
    step: int
    cells: dict[str, Cell]


def training() -> list[Row]:
    """S of two networks each step, Q and D each EVERY; in the order in which they were pushed.

    At step 700 Q falls and S.D jumps; at 1100 it has recovered; at 1300 D collapses. S.G is not
    finite at 900. A batch has too few samples, another failed.
    """
    noise = np.random.default_rng(8)
    rows: list[Row] = []
    for step in range(STEPS):
        jump = 30.0 if 700 <= step < 800 else 1.0
        cells = {
            "S.G": Cell(0, 0.003 * math.exp(noise.normal(0, 0.05))),
            "S.D": Cell(0, jump * 0.002 * math.exp(noise.normal(0, 0.05))),
            "S.G/conv": Cell(0, 1.0),
            "S.G@epoch": Cell(0, 2.0),
            "loss.D": Cell(0, noise.normal()),
        }
        if step == 900:
            cells["S.G"] = Cell(0, None, status="nonfinite", reason="NaN")
        rows.append(Row("weights", step, step, cells))
        if step % EVERY == 0:
            rows.append(Row("samples", step // EVERY, step, _batch(step, noise)))
    return rows


def _batch(step: int, noise: np.random.Generator) -> dict[str, Cell]:
    bad = 700 <= step < 1100
    quality = (0.3 if bad else 0.9) + noise.normal(0, 0.01)
    diversity = (1.5 if step >= 1300 else 4.0) + noise.normal(0, 0.02)
    cells = {"Q": Cell(0, quality, 0.01, 500), "D": Cell(0, diversity, 0.02, 500)}
    if step == 200:
        cells["D"] = Cell(0, 0.1, 0.02, 5, "insufficient")
    if step == 240:
        cells["Q"] = Cell(0, None, n=500, status="failed", reason="chosen")
    return cells


def expected_alerts(rows: Iterable[Row], run: str = "demo") -> list[Alert]:
    """What a detector finds that is told these rows, one after the other."""
    detector, grouping = TurningPointDetector(), Grouping()
    alerts = []
    for row in rows:
        values = {name: _told(cell) for name, cell in row.cells.items() if _is_watched(name)}
        for found in detector.update(row.step, values, epoch=row.step / 10):
            alerts.append(grouping.place(turning_alert(run, found, START_S + row.step)))
    return alerts


def _is_watched(name: str) -> bool:
    return name in ("S.G", "S.D", "Q", "D", "loss.D")


def _told(cell: Cell) -> float | None:
    if cell.status == "nonfinite":
        return math.nan
    return cell.value if cell.status == "ok" else None


def store_rows(queue: JobQueue, trainer: Trainer, rows: Sequence[Row]) -> None:
    """Store rows of one kind as one block."""
    cells: dict[str, list[Cell]] = {}
    for index, row in enumerate(rows):
        for metric, cell in row.cells.items():
            moved = Cell(index, cell.value, cell.stderr, cell.n, cell.status, cell.reason)
            cells.setdefault(metric, []).append(moved)
    seq, steps = [row.seq for row in rows], [row.step for row in rows]
    finish(queue, trainer, seq, steps, cells, kind=rows[0].kind)


def store_all(queue: JobQueue, trainer: Trainer, rows: Sequence[Row], *, block: int = 100) -> None:
    """Store rows of both kinds, in blocks of at most `block` rows."""
    for kind in ("weights", "samples"):
        mine = [row for row in rows if row.kind == kind]
        for first in range(0, len(mine), block):
            store_rows(queue, trainer, mine[first : first + block])
