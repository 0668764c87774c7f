"""Which points of a long series to show: its shape stays, and nothing rare disappears."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxDownsampler

from monitor.store.series import Series
from monitor.types import STATUSES

#: Points that are not ``ok`` may take up to this share of what is shown.
FLAWED_SHARE = 4
#: The library chooses from two buckets at least.
FEWEST_BUCKETS = 2
_min_max: Any = MinMaxDownsampler  # has no types


def downsample(series: Series, most: int) -> Series:
    """At most `most` points of a series; 0 for all.

    Kept are the first and the last point, both ends of every stretch that is not ``ok`` (evenly
    thinned when there are very many), and minimum and maximum of each bucket of steps (MinMax of
    Van Der Donckt et al., 2022), so that a spike of a single step survives at every zoom.
    """
    size = series.step.size
    if most == 0 or size <= most:
        return series
    ends = np.array([0, size - 1])[-most:]
    flawed = _flawed(series, most // FLAWED_SHARE)
    buckets = (most - ends.size - flawed.size) // 2
    return series.take(np.unique(np.concatenate([ends, flawed, _extremes(series, buckets)])))


def _flawed(series: Series, most: int) -> NDArray[np.int64]:
    """Ends of the stretches of equal status that is not ``ok``, or of values that are missing."""
    kind = np.where(np.isfinite(series.value), series.status, len(STATUSES) + series.status)
    changes = np.flatnonzero(np.diff(kind))
    ends = np.unique(np.concatenate([[0], changes, changes + 1, [kind.size - 1]]))
    found: NDArray[np.int64] = ends[kind[ends] != STATUSES.index("ok")]
    kept = np.linspace(0, found.size - 1, min(most, found.size)).astype(np.int64)
    return found[kept]


def _extremes(series: Series, buckets: int) -> NDArray[np.int64]:
    """Where each of `buckets` equal spans of steps has its minimum and its maximum."""
    valued = np.flatnonzero(np.isfinite(series.value))
    if valued.size <= 2 * buckets:
        return valued
    value = series.value[valued]
    if buckets < FEWEST_BUCKETS:
        both = np.array([value.argmin(), value.argmax()])[: 2 * buckets]
    else:
        both = _min_max().downsample(series.step[valued], value, n_out=2 * buckets)
    chosen: NDArray[np.int64] = valued[both.astype(np.int64)]
    return chosen
