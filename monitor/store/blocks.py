"""What a worker hands to the store: rows of one push kind and columns of points."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.types import STATUSES, Point

Kind = Literal["weights", "samples"]
KINDS: tuple[Kind, ...] = ("weights", "samples")
#: Rows of one segment: thirty pushes a second for a year. A larger row number is a lie, and
#: readers would look for all the chunks before it.
MOST_ROWS = 2**30


@dataclass(frozen=True, slots=True)
class Rows:
    """The pushes a block belongs to.

    Attributes:
        seq: (R,) int64 number of the push in its segment.
        step: (R,) int64.
        epoch: (R,) float64, NaN where the trainer gave none.
        time: (R,) float64 Unix seconds.
    """

    seq: NDArray[np.int64]
    step: NDArray[np.int64]
    epoch: NDArray[np.float64]
    time: NDArray[np.float64]

    @classmethod
    def one(cls, seq: int, step: int, epoch: float | None, time: float) -> "Rows":
        """A single row."""
        return cls(
            np.array([seq], np.int64),
            np.array([step], np.int64),
            np.array([np.nan if epoch is None else epoch], np.float64),
            np.array([time], np.float64),
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One point without its row's moment.

    Attributes:
        row: index into the block's rows.
        value, stderr, n, status, reason: as in `monitor.types.Point`.
    """

    row: int
    value: float | None
    stderr: float | None = None
    n: int = 1
    status: str = "ok"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one segment and kind, and what was computed at them.

    Attributes:
        run, segment, kind: whose rows they are.
        rows: their index columns.
        cells: per metric, ascending by row.
    """

    run: str
    segment: str
    kind: Kind
    rows: Rows
    cells: dict[str, list[Cell]] = field(default_factory=dict)

    def add(self, metric: str, cell: Cell) -> None:
        """Add one point."""
        self.cells.setdefault(metric, []).append(cell)

    def points(self, metrics: Sequence[str] | None = None) -> Iterator[Point]:
        """The points of `metrics` (default all)."""
        for metric in self.cells if metrics is None else metrics:
            for cell in self.cells.get(metric, ()):
                yield self.point(metric, cell)

    def point(self, metric: str, cell: Cell) -> Point:
        """A cell with its row's moment."""
        epoch = float(self.rows.epoch[cell.row])
        assert cell.status in STATUSES
        return Point(
            metric=metric,
            step=int(self.rows.step[cell.row]),
            epoch=None if np.isnan(epoch) else epoch,
            time=float(self.rows.time[cell.row]),
            value=cell.value,
            stderr=cell.stderr,
            n=cell.n,
            status=cell.status,
            reason=cell.reason,
        )


def is_tensor_metric(metric: str) -> bool:
    """Whether a metric is S of one named tensor (``S.<network>/<tensor>``)."""
    return metric.startswith("S.") and "/" in metric
