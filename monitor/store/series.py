"""Series: what was measured, read back from packed columns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import UnknownMetricError
from monitor.store.blocks import KINDS, Kind
from monitor.store.connection import Store, reachable, text
from monitor.store.rows import RowTable, read_rows
from monitor.store.segments import ORDER_STRIDE, Segment, segments_of
from monitor.types import STATUSES
from trainer_hooks import keys

__all__ = [
    "Segment",
    "Series",
    "joined",
    "metric_names",
    "metrics_of",
    "newest_of_each_step",
    "read_series",
    "segments_of",
    "visible_latest",
    "within",
]


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one metric, steps strictly ascending.

    Attributes:
        step: (N,) int64.
        epoch: (N,) float64, NaN for none; time: (N,) float64 Unix seconds.
        value: (N,) float64, NaN where it could not be computed.
        stderr: (N,) float64, NaN for none; n: (N,) float64; status: (N,) uint8 code in STATUSES.
    """

    step: NDArray[np.int64]
    epoch: NDArray[np.float64]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    stderr: NDArray[np.float64]
    n: NDArray[np.float64]
    status: NDArray[np.uint8]

    def take(self, chosen: NDArray[Any] | slice) -> "Series":
        """The points chosen by index, mask or slice."""
        return Series(
            self.step[chosen],
            self.epoch[chosen],
            self.time[chosen],
            self.value[chosen],
            self.stderr[chosen],
            self.n[chosen],
            self.status[chosen],
        )

    def as_json(self) -> dict[str, list[Any]]:
        """Columns of plain numbers; null for what is missing."""
        return {
            "step": self.step.tolist(),
            "epoch": _nullable(self.epoch),
            "time": self.time.tolist(),
            "value": _nullable(self.value),
            "stderr": _nullable(self.stderr),
            "n": self.n.astype(np.int64).tolist(),
            "status": [STATUSES[code] for code in self.status.tolist()],
        }


def metrics_of(store: Store, run: str) -> dict[str, dict[str, Any]]:
    """Latest point of each metric, with the kind of push it belongs to."""
    with reachable(store.redis_url):
        stored: Any = store.data.hgetall(keys.metrics(run))
    return {text(name): parse_latest(text(value)) for name, value in stored.items()}


def metric_names(store: Store, run: str) -> list[str]:
    """Names of the metrics that have a point."""
    with reachable(store.redis_url):
        stored: Any = store.data.hkeys(keys.metrics(run))
    return [text(name) for name in stored]


def kinds_of(store: Store, run: str, metrics: Sequence[str]) -> dict[str, Kind]:
    """The kind of push of each of these metrics; those without a point are left out."""
    if not metrics:
        return {}
    with reachable(store.redis_url):
        stored: Any = store.data.hmget(keys.metrics(run), list(metrics))
    found = zip(metrics, stored, strict=True)
    return {name: parse_latest(text(point))["kind"] for name, point in found if point is not None}


def parse_latest(stored: str) -> dict[str, Any]:
    """A metric's latest point, as it lies behind its order."""
    point: dict[str, Any] = json.loads(stored.partition("|")[2])
    return point


def visible_latest(
    stored: Mapping[str, str], segments: Sequence[Segment]
) -> dict[str, dict[str, Any]]:
    """Latest points by metric, but for those that a newer segment hides.

    The metric has none then until that segment brings one: where the one before the hidden ones
    lies, only its rows tell.
    """
    found = {}
    for metric, value in stored.items():
        point = parse_latest(value)
        ordinal = int(value.partition("|")[0]) // ORDER_STRIDE
        newer = (s.first_step for s in segments if s.ordinal > ordinal)
        if all(step is None or point["step"] < step for step in newer):
            found[metric] = point
    return found


def read_series(
    store: Store, run: str, metrics: Sequence[str], first: int | None, last: int | None
) -> dict[str, Series]:
    """All points of `metrics` with first ≤ step ≤ last (None: no bound).

    Raises:
        UnknownRunError, UnknownMetricError: named in the message.
    """
    segments = segments_of(store, run)
    known = metrics_of(store, run)
    for metric in metrics:
        if metric not in known:
            raise UnknownMetricError(f"run {run!r} has no metric {metric!r}")
    parts: dict[str, list[Series]] = {metric: [] for metric in metrics}
    hidden_from = np.inf
    for segment in reversed(segments):
        for kind in KINDS:
            wanted = [metric for metric in parts if known[metric]["kind"] == kind]
            span = range(segment.first_row_of(kind), segment.rows[kind])
            if wanted and span:
                table = read_rows(store, (run, segment.id, kind), span, wanted)
                for metric in wanted:
                    parts[metric].append(_visible(table, metric, hidden_from))
        if segment.first_step is not None:
            hidden_from = min(hidden_from, segment.first_step)
    return {
        metric: within(newest_of_each_step(joined(found[::-1])), first, last)
        for metric, found in parts.items()
    }


def _visible(table: RowTable, metric: str, hidden_from: float) -> Series:
    """A metric's points; a newer segment hides those from its first step on."""
    about = table.metrics[metric]
    series = Series(
        table.step, table.epoch, table.time, about.value, about.stderr, about.n, about.status
    )
    return series.take(about.known & (table.step < hidden_from))


def newest_of_each_step(series: Series) -> Series:
    """A row is hidden by every later one with the same or a lower step: resumes overwrite."""
    later = np.minimum.accumulate(series.step[::-1])[::-1]
    keep = np.ones(series.step.size, np.bool_)
    keep[:-1] = series.step[:-1] < later[1:]
    return series if keep.all() else series.take(keep)


def within(series: Series, first: int | None, last: int | None) -> Series:
    """The points with first ≤ step ≤ last (None: no bound)."""
    if first is None and last is None:
        return series
    begin = 0 if first is None else int(np.searchsorted(series.step, first))
    end = series.step.size if last is None else int(np.searchsorted(series.step, last, "right"))
    return series.take(slice(begin, end))


def joined(parts: Sequence[Series]) -> Series:
    """One after the other."""
    none = np.zeros(0)
    empty = Series(none.astype(np.int64), none, none, none, none, none, none.astype(np.uint8))
    names = ("step", "epoch", "time", "value", "stderr", "n", "status")
    joined = ([getattr(part, name) for part in (empty, *parts)] for name in names)
    return Series(*map(np.concatenate, joined))


def _nullable(values: NDArray[np.float64]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
