"""The features that a reference set keeps."""

import numpy as np
import pytest

from monitor.diversity.feature_sample import FeatureSample

ROWS = np.arange(3000, dtype=np.float32)[:, None]


@pytest.mark.parametrize("cuts", [[], [1], [40, 41, 2900], list(range(7, 3000, 7))])
def test_cuts_make_no_difference(cuts: list[int]) -> None:
    whole, pieces = FeatureSample(50), FeatureSample(50)
    whole.add(ROWS)
    for piece in np.split(ROWS, cuts):
        pieces.add(piece)
    assert whole.kept is not None
    assert pieces.kept is not None
    np.testing.assert_array_equal(pieces.kept, whole.kept)
    assert np.unique(whole.kept).size == 50


def test_few_stay_all_in_their_order() -> None:
    assert FeatureSample().kept is None
    sample = FeatureSample()
    sample.add(ROWS[:1500])
    assert sample.kept is not None
    np.testing.assert_array_equal(sample.kept, ROWS[:1500])
    sample.add(ROWS[1500:])
    assert len(sample.kept) == 2000
    # Evenly: the mean of 2000 of 3000 numbers has a standard deviation of 11.
    assert abs(sample.kept.mean() - ROWS.mean()) < 50
