"""The forecast follows trends and improvements; its scale is robust."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.turning.baseline import RECENT, Baseline
from monitor.turning.settings import DIVERSITY, QUALITY, STABILITY, Family


def learn(series: list[float], family: Family = DIVERSITY) -> Baseline:
    baseline = Baseline()
    for i in range(len(series)):
        baseline.learn(series[max(0, i - RECENT) : i + 1], family)
    return baseline


def test_a_constant_series_is_its_own_forecast_and_has_the_floor_for_scale() -> None:
    baseline = learn([3.0] * 500)
    assert baseline.forecast(DIVERSITY) == 3.0
    assert baseline.sigma(DIVERSITY) == DIVERSITY.floor
    assert baseline.scale > 0


@pytest.mark.parametrize("deviation", [0.2, 0.5, 2.0])
@pytest.mark.parametrize("slope", [0.0, -0.02, 0.05])
def test_the_scale_is_the_standard_deviation_whatever_the_trend(
    deviation: float, slope: float
) -> None:
    noise = np.random.default_rng(1).normal(0, deviation, 400)
    scales = []
    baseline, series = Baseline(), (10 + slope * np.arange(400) + noise).tolist()
    for i in range(400):
        baseline.learn(series[max(0, i - RECENT) : i + 1], DIVERSITY)
        scales.append(baseline.scale)
    assert np.mean(scales[50:]) == pytest.approx(deviation, rel=0.15)


def test_the_trend_keeps_the_forecast_near_a_line() -> None:
    baseline = learn([4 - 0.01 * i for i in range(200)])
    assert baseline.forecast(DIVERSITY) == pytest.approx(4 - 0.01 * 200, abs=0.05)


@given(st.floats(-1e9, 2.9))
def test_one_outlier_moves_the_level_by_a_bounded_step(outlier: float) -> None:
    baseline = learn([3.0] * 40)
    baseline.learn([3.0, 3.0, 3.0, outlier], DIVERSITY)
    assert 3.0 - 0.26 * DIVERSITY.floor <= baseline.level < 3.0
    assert baseline.scale < DIVERSITY.floor


def test_three_better_observations_are_believed_at_once() -> None:
    falling_angle = learn([-4.0] * 60 + [-6.3, -6.25, -6.3], STABILITY)
    assert falling_angle.level == -6.25
    rising_quality = learn([0.2] * 60 + [0.8, 0.85, 0.9], QUALITY)
    assert rising_quality.level == 0.8


def test_three_worse_observations_are_not() -> None:
    assert learn([0.8] * 60 + [0.2] * 3, QUALITY).level > 0.75


def test_quality_is_never_expected_above_one() -> None:
    baseline = Baseline(count=50, level=0.99, trend=0.05, scale=0.03)
    assert baseline.forecast(QUALITY) == 1.0
