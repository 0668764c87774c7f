"""Batches become small: grey levels, floats, and an honest count of what was wrong in them."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from trainer_hooks.batches import Batch, checked_range
from trainer_hooks.errors import SamplesError

UNIT = (-1.0, 1.0)


def small(values: Any, value_range: tuple[float, float] = UNIT) -> tuple[NDArray[Any], int, int]:
    """What a whole batch becomes, and its NaN or Inf and its clipped values."""
    batch = Batch(values, value_range)
    chunk = batch.slice(0, len(batch))
    return chunk.array(), *chunk.bad_values()


@pytest.mark.parametrize("make", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_floats_become_grey_levels(make: Any) -> None:
    values = make([[[[-1.0, 0.0, 1.0, 0.25]]]])
    pixels, nonfinite, clipped = small(values)
    assert pixels.dtype == np.uint8
    # Halves are rounded to even: (0 + 1) · 127.5 = 127.5 → 128.
    assert pixels.tolist() == [[[[0, 128, 255, 159]]]]
    assert (nonfinite, clipped) == (0, 0)


@pytest.mark.parametrize("value_range", [(0, 1), (0.0, 255.0), (-0.5, 0.5)])
def test_the_range_is_black_and_white(value_range: tuple[float, float]) -> None:
    low, high = value_range
    values = np.array([low, high, (low + high) / 2]).reshape(1, 1, 1, 3)
    assert small(values, value_range)[0].ravel().tolist() == [0, 255, 128]


@given(arrays(np.float32, (2, 3, 2, 2), elements=st.floats(width=32)))
def test_numpy_and_torch_agree_whatever_is_in_them(values: NDArray[np.float32]) -> None:
    mine, theirs = small(values), small(torch.from_numpy(values.copy()))
    assert mine[0].tobytes() == theirs[0].tobytes()
    assert mine[1:] == theirs[1:]
    assert mine[1] == int((~np.isfinite(values)).sum())


def test_what_is_wrong_is_counted_and_never_raises() -> None:
    values = torch.tensor([np.nan, np.inf, -np.inf, 1.5, -1.5, 0.0]).reshape(1, 1, 2, 3)
    pixels, nonfinite, clipped = small(values)
    assert pixels.ravel().tolist() == [0, 255, 0, 255, 0, 128]
    # Infinities are both: neither finite nor in range.
    assert (nonfinite, clipped) == (3, 4)


def test_rounding_noise_at_the_bounds_is_not_out_of_range() -> None:
    values = np.full((1, 1, 1, 2), 1.0 + 1e-6)
    assert small(values)[1:] == (0, 0)


def test_numbers_beyond_float32_are_not_finite() -> None:
    assert small(np.full((1, 3, 1, 1), 1e300))[1] == 3
    assert small(np.full((1, 5), 1e300))[1] == 5


@pytest.mark.parametrize("dtype", ["float16", "float64", "float32"])
def test_any_float_dtype(dtype: str) -> None:
    values = np.full((2, 3, 2, 2), 0.5, dtype)
    assert small(values)[0].ravel()[0] == small(torch.from_numpy(values))[0].ravel()[0] == 191


def test_bfloat16_is_a_float() -> None:
    assert small(torch.full((1, 1, 2, 2), 0.5, dtype=torch.bfloat16))[0].ravel()[0] == 191


@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_go_as_they_are(channels: int) -> None:
    values = np.arange(2 * channels * 4, dtype=np.uint8).reshape(2, channels, 2, 2)
    for source in (values, torch.from_numpy(values.copy()), values.tolist() and values[:, :, ::1]):
        pixels, *bad = small(source)
        assert pixels.tolist() == values.tolist()
        assert bad == [0, 0]


@pytest.mark.parametrize("shape", [(5, 7), (5, 2, 4, 4), (5, 4, 4, 3), (2, 3, 4, 5, 2, 2)])
def test_other_floats_go_as_float32(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).standard_normal(shape)
    for source in (values, torch.from_numpy(values)):
        floats, *bad = small(source)
        assert floats.dtype == np.float32
        assert floats.tolist() == values.astype(np.float32).tolist()
        assert bad == [0, 0]


def test_what_is_sent_is_never_the_trainers_memory() -> None:
    for values in (
        np.zeros((1, 1, 2, 2), np.uint8),
        torch.zeros((1, 1, 2, 2), dtype=torch.uint8),
        np.zeros((1, 4), np.float32),
        torch.zeros((1, 4)),
        torch.zeros((1, 4), requires_grad=True),
    ):
        batch = Batch(values, UNIT)
        chunk = batch.slice(0, 1)
        with torch.no_grad():
            values[:] = 1
        assert chunk.array().max() == 0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros(3), r"shape \(3,\)"),
        (np.zeros(()), r"shape \(\)"),
        (torch.zeros(0, 3, 4, 4), "N ≥ 1"),
        (np.zeros((2, 0)), "N ≥ 1"),
        (np.zeros((1,) * 7), "at most 6 dimensions"),
        (np.zeros((2, 1, 4, 4), np.int64), "dtype int64"),
        (torch.zeros((2, 1, 4, 4), dtype=torch.bool), r"dtype torch\.bool"),
        (torch.zeros((2, 4), dtype=torch.complex64), r"dtype torch\.complex64"),
        (np.zeros((2, 4, 4, 3), np.uint8), "C = 1 or 3"),
        (np.zeros((2, 10), np.uint8), "C = 1 or 3"),
        ("images", r"shape \(\)"),
        (None, r"shape \(\)"),
        ([np.zeros((1, 2)), np.zeros((1, 3))], "no array"),
        ([torch.zeros(2, requires_grad=True), 1], "no array"),
    ],
)
def test_what_is_no_batch_is_refused_with_what_it_is(values: Any, said: str) -> None:
    with pytest.raises(SamplesError, match=said):
        Batch(values, UNIT)


def test_batch_that_is_spread_over_ranks_is_refused() -> None:
    spread = type("DTensor", (torch.Tensor,), {})(2, 3)
    with pytest.raises(SamplesError, match="spread over ranks"):
        Batch(spread, UNIT)


@pytest.mark.parametrize(
    "value_range",
    [
        None,
        1,
        (1,),
        (0, 1, 2),
        ("a", "b"),
        (1, 1),
        (1, -1),
        (0, float("inf")),
        (float("nan"), 1),
        (-1.7e308, 1.7e308),
    ],
)
def test_range_that_is_none_is_refused(value_range: Any) -> None:
    with pytest.raises(SamplesError, match="value_range must be"):
        checked_range(value_range)
