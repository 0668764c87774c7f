"""Rows of one kind in the order of segment and number, though workers finish them out of order."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.store.blocks import Kind
from monitor.store.connection import Store
from monitor.store.rows import MetricColumns, RowTable, read_rows
from monitor.store.segments import Segment
from monitor.store.weight_parts import first_waiting_row
from monitor.types import STATUSES

#: Rows read at once.
PAGE_ROWS = 2048
#: A row that is still missing this long after a later one came is not waited for, seconds (design).
GAP_TIMEOUT_S = 60.0
_OK, _NONFINITE = STATUSES.index("ok"), STATUSES.index("nonfinite")


@dataclass(frozen=True, slots=True)
class Moment:
    """One row for the detector.

    Attributes:
        row: its number in its segment.
        step, epoch, time: as the trainer said.
        values: by metric; NaN where it was not finite, None where there is no good value.
        samples: behind D; 1 where there is no D.
    """

    row: int
    step: int
    epoch: float | None
    time: float
    values: dict[str, float | None]
    samples: float = 1.0


class KindReader:
    """Hands out the rows of one kind, each once, never one before an earlier one.

    Args:
        kind: of the rows.
        place: where an earlier reader stood.
    """

    def __init__(self, kind: Kind, place: Sequence[int] = (0, 0)) -> None:
        self.kind = kind
        self._ordinal, self._row = place
        self._ready: deque[Moment] = deque()
        self._limit = self._row
        self._overtaken: deque[tuple[float, int]] = deque()
        self._given_up = 0
        self.waiting = False
        self.more = False

    @property
    def place(self) -> list[int]:
        """Ordinal of the segment and number of the row that comes next."""
        return [self._ordinal, self._row]

    @property
    def next_time(self) -> float | None:
        """When the next row was pushed; None if another page must be loaded first."""
        return self._ready[0].time if self._ready else None

    def take(self) -> Moment:
        """The next row."""
        moment = self._ready.popleft()
        self._row = moment.row + 1 if self._ready else self._limit
        return moment

    def load(
        self,
        store: Store,
        run: str,
        segments: Sequence[Segment],
        metrics: Sequence[str],
        now_s: float,
    ) -> None:
        """Load a page of the rows that are next.

        Args:
            store: both Redis servers.
            run: id of the run.
            segments: of the run, in order.
            metrics: whose values are wanted.
            now_s: by a clock that only goes forward.
        """
        self._ready.clear()
        self.waiting = self.more = False
        segment = self._segment(segments)
        if segment is None:
            return
        end = segment.rows[self.kind]
        span = range(self._row, min(end, self._row + PAGE_ROWS))
        table = read_rows(store, (run, segment.id, self.kind), span, metrics)
        # A row whose network is spread over ranks comes before its points do.
        waiting = first_waiting_row(store, run, segment.id) if self.kind == "weights" else None
        settled = span.stop if waiting is None else max(span.start, min(waiting, span.stop))
        self._limit = min(self._first_gap(table, span, end, now_s), settled)
        self.waiting = self._limit < span.stop
        # At the end of a segment, the next look may find a newer one.
        self.more = not self.waiting and (span.stop < end or segment is not segments[-1])
        self._ready.extend(_moments(table, self._limit))
        if not self._ready:
            self._row = self._limit

    def _segment(self, segments: Sequence[Segment]) -> Segment | None:
        """The segment that comes next. Once a newer one has rows, older ones are left for good:
        what a dead process pushed last may be stored after what its successor pushed first.
        """
        for segment in segments:
            if segment.ordinal < self._ordinal:
                continue
            known = self._row if segment.ordinal == self._ordinal else 0
            row = max(known, segment.first_row_of(self.kind))
            if row < segment.rows[self.kind]:
                if segment.ordinal > self._ordinal:
                    self._overtaken.clear()
                    self._given_up = 0
                self._ordinal, self._row = segment.ordinal, row
                return segment
        return None

    def _first_gap(self, table: RowTable, span: range, end: int, now_s: float) -> int:
        """The first row that is waited for, else the end of the span."""
        while self._overtaken and now_s - self._overtaken[0][0] >= GAP_TIMEOUT_S:
            self._given_up = self._overtaken.popleft()[1]
        missing = np.setdiff1d(np.arange(span.start, span.stop), table.seq, assume_unique=True)
        missing = missing[missing >= self._given_up]
        if not missing.size:
            return span.stop
        if not self._overtaken or self._overtaken[-1][1] < end:
            self._overtaken.append((now_s, end))
        return int(missing[0])


def _moments(table: RowTable, limit: int) -> list[Moment]:
    """The rows before `limit`."""
    seqs = table.seq[table.seq < limit].tolist()
    values = {name: _usable(about) for name, about in table.metrics.items()}
    epochs = [None if np.isnan(epoch) else epoch for epoch in table.epoch.tolist()]
    steps, times = table.step.tolist(), table.time.tolist()
    counts = table.metrics["D"].n.tolist() if "D" in table.metrics else [1.0] * len(steps)
    return [
        Moment(
            *(row, steps[i], epochs[i], times[i]),
            {name: column[i] for name, column in values.items()},
            counts[i],
        )
        for i, row in enumerate(seqs)
    ]


def _usable(about: MetricColumns) -> list[float | None]:
    good = (about.status == _OK) & about.known & np.isfinite(about.value)
    broken: NDArray[np.bool_] = about.status == _NONFINITE
    rows = zip(about.value.tolist(), good.tolist(), broken.tolist(), strict=True)
    return [float("nan") if bad else (value if fine else None) for value, fine, bad in rows]
