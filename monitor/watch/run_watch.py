"""One run under watch: reads its rows in order and feeds them to the detector."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor.alerts.raising import turning_alert
from monitor.store.blocks import is_tensor_metric
from monitor.store.connection import Store
from monitor.store.series import Segment, Series, metrics_of, read_rows, segments_of
from monitor.turning import TurningPointDetector
from monitor.types import STATUSES, Alert

#: Rows read at once.
PAGE_ROWS = 2048
#: A row that workers have not stored after this long is not waited for, seconds (design).
GAP_TIMEOUT_S = 60.0
#: Layout of the stored state; a state of another layout starts anew.
STATE_VERSION = 1


class RunWatch:
    """Detector and place of one run.

    Args:
        run: its id.
        state: what `state` returned earlier, or None to start from its first row.
    """

    def __init__(self, run: str, state: dict[str, Any] | None = None) -> None:
        self.run = run
        known = state if state and state.get("version") == STATE_VERSION else {}
        self._offsets: dict[str, int] = dict(known.get("offsets", {}))
        self._gaps_s: dict[str, float] = {}
        self._detector = (
            TurningPointDetector.from_state(known["detector"])
            if "detector" in known
            else TurningPointDetector()
        )

    @property
    def waiting(self) -> bool:
        """Whether a gap is being waited for."""
        return bool(self._gaps_s)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on later, as JSON; `summary` is for the verdict."""
        return {
            "version": STATE_VERSION,
            "offsets": self._offsets,
            "detector": self._detector.state(),
            "summary": self._detector.summary(),
        }

    def advance(self, store: Store, now_s: float) -> list[Alert]:
        """Feed every row that is there and in order; what was found.

        Raises:
            UnknownRunError: the run is gone.
        """
        segments = segments_of(store, self.run)
        kinds = {
            name: about["kind"]
            for name, about in metrics_of(store, self.run).items()
            if _is_watched(name)
        }
        alerts: list[Alert] = []
        for segment in segments:
            for kind in ("samples", "weights"):
                metrics = [name for name, its_kind in kinds.items() if its_kind == kind]
                alerts += self._advance_kind(store, segment, kind, metrics, now_s)
        return alerts

    def _advance_kind(
        self, store: Store, segment: Segment, kind: str, metrics: Sequence[str], now_s: float
    ) -> list[Alert]:
        place = f"{segment.id}:{kind}"
        alerts: list[Alert] = []
        while True:
            first = self._offsets.get(place, segment.first_row_of(kind))
            span = range(first, min(segment.rows[kind], first + PAGE_ROWS))
            if not len(span):
                return alerts
            present, index, series = read_rows(store, self.run, segment.id, kind, span, metrics)
            ready = self._ready(place, present, now_s)
            alerts += self._feed(index, series, np.flatnonzero(present[:ready]).tolist())
            self._offsets[place] = first + ready
            if ready < len(span):
                return alerts

    def _ready(self, place: str, present: Any, now_s: float) -> int:
        """Rows before the first gap, or all of them once the gap is old enough."""
        if present.all():
            self._gaps_s.pop(place, None)
            return int(present.size)
        since_s = self._gaps_s.setdefault(place, now_s)
        if now_s - since_s >= GAP_TIMEOUT_S:
            del self._gaps_s[place]
            return int(present.size)
        return int(np.argmin(present))

    def _feed(self, index: Series, series: dict[str, Series], rows: list[int]) -> list[Alert]:
        alerts = []
        values = {name: _watched_values(column) for name, column in series.items()}
        for row in rows:
            given = {name: column[row] for name, column in values.items()}
            epoch = float(index.epoch[row])
            for turning in self._detector.update(
                int(index.step[row]), given, epoch=None if np.isnan(epoch) else epoch
            ):
                alerts.append(turning_alert(self.run, turning, float(index.time[row])))
        return alerts


def _watched_values(series: Series) -> list[float | None]:
    """Values as the detector takes them: NaN where the metric was not finite, None without one."""
    nonfinite = series.status == STATUSES.index("nonfinite")
    usable = (series.status == STATUSES.index("ok")) & ~np.isnan(series.value)
    return [
        float("nan") if bad else (value if good else None)
        for value, good, bad in zip(
            series.value.tolist(), usable.tolist(), nonfinite.tolist(), strict=True
        )
    ]


def _is_watched(metric: str) -> bool:
    if metric in ("Q", "D"):
        return True
    return metric.startswith("S.") and "@" not in metric and not is_tensor_metric(metric)
