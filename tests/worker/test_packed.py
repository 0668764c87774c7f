"""Features between the chunks of a batch: nearly as they were, and not too many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from monitor.diversity.feature_sample import MOST_FEATURES
from monitor.errors import EvaluatorError
from monitor.worker.packed import MOST_BYTES, pack, share, unpack


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 5)),
        elements=st.floats(-(2.0**120), 2.0**120, width=32),
    )
)
def test_rows_keep_four_digits_of_their_largest_number(features: NDArray[np.float32]) -> None:
    back = unpack([pack(features)])
    largest = np.abs(features).max(axis=1, keepdims=True).astype(np.float64)
    # Half a step; below 1e-38 float32 has fewer digits itself.
    assert (np.abs(back - features) <= largest / 65500 + 1e-40).all()


def test_cuts_make_no_difference() -> None:
    features = np.random.default_rng(1).normal(size=(50, 7)).astype(np.float32)
    pieces = [pack(piece) for piece in np.split(features, [3, 20])]
    np.testing.assert_array_equal(unpack(pieces), unpack([pack(features)]))


def test_rows_of_different_lengths() -> None:
    with pytest.raises(EvaluatorError, match="different lengths"):
        unpack([pack(np.ones((2, 3), np.float32)), pack(np.ones((2, 4), np.float32))])


@pytest.mark.parametrize(
    ("n", "d", "samples", "kept"),
    [
        (500, 512, 2000, 500),
        (500, 512, 0, 500),
        (5000, 2, 0, MOST_FEATURES),
        (500, 2, 50_000, 20),
        (100, 8000, 2000, 27),
        (3, 10_000_000, 3, 1),
    ],
)
def test_large_batches_keep_a_share(n: int, d: int, samples: int, kept: int) -> None:
    features = np.broadcast_to(np.arange(n, dtype=np.float32)[:, None], (n, d))
    shared = share(features, samples)
    assert len(shared) == kept
    assert np.unique(np.diff(shared[:, 0])).size <= 2
    assert kept == 1 or len(pack(shared)) * max(1, samples / n) < 1.5 * MOST_BYTES
