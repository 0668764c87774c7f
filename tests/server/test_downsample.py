"""Downsampling: the shape stays, and nothing rare disappears."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from monitor.server.downsample import downsample
from monitor.store.series import Series
from monitor.types import STATUSES

OK, INSUFFICIENT, FAILED = (STATUSES.index(name) for name in ("ok", "insufficient", "failed"))


def series(value: NDArray[np.float64], step: NDArray[np.int64] | None = None) -> Series:
    """A series with these values; missing ones have failed."""
    size = value.size
    known = np.arange(size) if step is None else step
    status = np.where(np.isnan(value), FAILED, OK).astype(np.uint8)
    nothing = np.full(size, np.nan)
    return Series(known, nothing, known.astype(np.float64), value, nothing, np.ones(size), status)


@pytest.mark.parametrize("where", [0, 1, 99_999, 123_456, 199_998, 199_999])
def test_spike_of_one_step_survives(where: int) -> None:
    value = np.sin(np.arange(200_000) / 500)
    value[where] = 50.0
    shown = downsample(series(value), 2000)
    assert shown.step.size <= 2000
    assert where in shown.step
    assert shown.value.max() == 50.0


def test_every_pixel_column_keeps_its_minimum_and_maximum() -> None:
    columns, width = 1000, 200
    rng = np.random.default_rng(0)
    value = rng.standard_normal(columns * width) / 100
    # Away from the edges: the library's buckets may begin a step beside ours.
    begin = np.arange(columns) * width
    low, high = begin + rng.integers(5, 100, columns), begin + rng.integers(100, 195, columns)
    value[low], value[high] = -rng.random(columns) - 1, rng.random(columns) + 1
    shown = downsample(series(value), 2 * columns + 2)
    assert shown.step.size <= 2 * columns + 2
    assert np.isin(low, shown.step).all()
    assert np.isin(high, shown.step).all()


def test_short_series_and_zero_are_left_alone() -> None:
    short = series(np.arange(10.0))
    assert downsample(short, 10) is short
    assert downsample(short, 0) is short


def test_single_failure_stays_a_gap() -> None:
    value = np.zeros(50_000)
    value[31_415] = np.nan
    shown = downsample(series(value), 100)
    assert 31_415 in shown.step
    assert np.isnan(shown.value[shown.step == 31_415]).all()


def test_ends_of_a_stretch_of_failures_stay() -> None:
    value = np.zeros(50_000)
    value[1000:2000] = np.nan
    shown = downsample(series(value), 100)
    assert shown.step[np.isnan(shown.value)].tolist() == [1000, 1999]


def test_flaws_beyond_number_leave_room_for_the_curve() -> None:
    value = np.arange(50_000.0)
    value[::2] = np.nan
    shown = downsample(series(value), 100)
    gaps = np.isnan(shown.value).sum()
    assert 20 <= gaps <= 26
    assert shown.step.size - gaps >= 70


def test_status_of_a_value_survives() -> None:
    flawed = series(np.zeros(50_000))
    flawed.status[700] = INSUFFICIENT
    shown = downsample(flawed, 100)
    assert shown.step[shown.status == INSUFFICIENT].tolist() == [700]


def test_series_without_a_value_has_its_ends() -> None:
    shown = downsample(series(np.full(5000, np.nan)), 50)
    assert shown.step.tolist() == [0, 4999]


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 400),
    most=st.integers(1, 60),
    holes=st.floats(0, 1),
    gaps=st.sampled_from([1, 3, 10_000, 2**40]),
    seed=st.integers(0, 2**32 - 1),
)
def test_laws(size: int, most: int, holes: float, gaps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = rng.standard_normal(size)
    value[rng.random(size) < holes] = np.nan
    step = rng.integers(1, gaps + 1, size).cumsum()
    shown = downsample(series(value, step), most)
    assert shown.step.size <= max(most, 1)
    assert (np.diff(shown.step) > 0).all()
    assert shown.step[-1] == step[-1]
    # Every point shown is a point of the series.
    place = np.searchsorted(step, shown.step)
    np.testing.assert_array_equal(shown.value, value[place])
    if np.isfinite(value).any() and most >= 8:
        assert np.nanmin(shown.value) == np.nanmin(value)
        assert np.nanmax(shown.value) == np.nanmax(value)
