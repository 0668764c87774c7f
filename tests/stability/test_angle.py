"""The exact weight angle against its 50-digit twin, and the laws it keeps."""

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from monitor.errors import WeightsError
from monitor.stability import AngleTerms, angle_terms, weight_angle
from monitor.stability.angle import CHUNK_ELEMENTS
from tests.reference.angle import weight_angle as exact_angle

ANGLES = (1e-7, 1e-6, 1e-4, 3e-3, 0.1, 1.0, math.pi / 2, 3.0)

vectors = arrays(np.float32, 24, elements=st.floats(-100, 100, width=32).filter(lambda x: x != 0))


def rotated(angle: float, n: int = 700, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two float64 vectors of one length whose angle is `angle` up to rounding."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(n)
    u = rng.standard_normal(n)
    u -= w * (u @ w) / (w @ w)
    return w, w * math.cos(angle) + u * math.sin(angle) * np.sqrt((w @ w) / (u @ u))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.longdouble])
@pytest.mark.parametrize("angle", ANGLES)
def test_agrees_with_fifty_digits(angle: float, dtype: type[np.floating[Any]]) -> None:
    w, v = (x.astype(dtype) for x in rotated(angle))
    assert weight_angle(w, v) == pytest.approx(exact_angle(w, v), rel=1e-9, abs=0)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("times", [1e-9, 1e-3, 0.5, 1.01, 7.0, 1e3, 1e9])
@pytest.mark.parametrize("angle", [*ANGLES, math.pi - 0.01])
def test_lengths_do_not_matter(angle: float, times: float, kind: Any) -> None:
    w, v = rotated(angle)
    assert weight_angle(kind(w), kind(times * v)) == pytest.approx(angle, rel=1e-9, abs=0)


@pytest.mark.parametrize("size", [1e-300, 1e-100, 1e-80, 1e80, 1e150, 1e300])
def test_no_square_leaves_the_range(size: float) -> None:
    w, v = rotated(0.1)
    for pair in ((size * w, size * v), (size * w, v), (w, size * v)):
        assert weight_angle(*pair) == pytest.approx(0.1, rel=1e-9, abs=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("angle", [3e-3, 0.1, math.pi / 2])
def test_tensors_of_every_float_type(angle: float, dtype: torch.dtype) -> None:
    w, v = (torch.from_numpy(x).to(dtype) for x in rotated(angle))
    expected = exact_angle(w.double().tolist(), v.double().tolist())
    assert weight_angle(w, v) == pytest.approx(expected, rel=1e-9, abs=0)
    assert weight_angle(w.requires_grad_(), v.double().numpy()) == weight_angle(w, v)


def test_half_precision_arrays() -> None:
    w, v = (x.astype(np.float16) for x in rotated(0.01))
    assert weight_angle(w, v) == pytest.approx(exact_angle(w, v), rel=1e-9, abs=0)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_long_vectors_cross_chunks(kind: Any) -> None:
    w, v = rotated(1e-3, n=2 * CHUNK_ELEMENTS + 7)
    unit_w, unit_v = w / np.linalg.norm(w), v / np.linalg.norm(v)
    half = math.atan2(
        float(np.linalg.norm(unit_w - unit_v)), float(np.linalg.norm(unit_w + unit_v))
    )
    assert weight_angle(kind(w), kind(v)) == pytest.approx(2 * half, rel=1e-9, abs=0)


@given(vectors)
def test_equal_is_zero_and_opposite_is_pi(w: NDArray[np.float32]) -> None:
    assert weight_angle(w, w.copy()) == 0.0
    assert weight_angle(w, -w) == math.pi
    assert weight_angle(torch.from_numpy(w), torch.from_numpy(-w)) == math.pi


@given(vectors, st.floats(0.5, 20))
def test_parallel_vectors_have_no_angle_but_rounding(w: NDArray[np.float32], scale: float) -> None:
    assert 0.0 <= weight_angle(w, scale * w.astype(np.float64)) < 1e-7


@given(vectors, vectors, st.permutations(range(24)))
def test_order_of_the_elements_does_not_matter(
    w: NDArray[np.float32], v: NDArray[np.float32], order: list[int]
) -> None:
    expected = weight_angle(w, v)
    assert weight_angle(w[order], v[order]) == pytest.approx(expected, rel=1e-6, abs=1e-7)
    assert weight_angle(v, w) == pytest.approx(expected, rel=1e-6, abs=1e-7)


@given(vectors, vectors, st.integers(-20, 20))
def test_common_scale_does_not_matter(
    w: NDArray[np.float32], v: NDArray[np.float32], power: int
) -> None:
    scale = 2.0**power
    assert weight_angle(scale * w.astype(float), scale * v.astype(float)) == weight_angle(w, v)


@given(vectors, vectors, st.integers(1, 23))
def test_terms_of_shards_add(w: NDArray[np.float32], v: NDArray[np.float32], cut: int) -> None:
    whole = angle_terms(w, v)
    summed = angle_terms(w[:cut], v[:cut]) + angle_terms(w[cut:], v[cut:])
    assert summed.change_square == pytest.approx(whole.change_square, rel=1e-14)
    assert summed.weight_square == pytest.approx(whole.weight_square, rel=1e-14)
    magnitude = math.sqrt(whole.weight_square * whole.change_square)
    assert summed.dot == pytest.approx(whole.dot, abs=1e-14 * magnitude)
    assert summed.angle() == pytest.approx(whole.angle(), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_nonfinite_weights_have_no_angle(kind: Any, bad: float) -> None:
    good, damaged = kind([1.0, 2.0, 3.0]), kind([1.0, bad, 3.0])
    for terms in (angle_terms(good, damaged), angle_terms(damaged, good)):
        assert not terms.finite
        assert math.isnan(terms.angle())


@given(vectors)
def test_zero_weights_have_no_angle(w: NDArray[np.float32]) -> None:
    zero = np.zeros_like(w)
    assert math.isnan(weight_angle(w, zero))
    assert math.isnan(weight_angle(zero, w))
    assert math.isnan(weight_angle(zero, zero))
    assert not AngleTerms().finite


def test_float32_extremes_do_not_overflow() -> None:
    w = np.array([3e38, -3e38], np.float32)
    v = np.array([-3e38, -3e38], np.float32)
    assert weight_angle(w, v) == pytest.approx(math.pi / 2, rel=1e-12)
    tiny = np.array([1e-44, 0.0], np.float32)
    assert weight_angle(tiny, tiny[::-1]) == pytest.approx(math.pi / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("previous", "current", "message"),
    [
        (np.ones(3), np.ones(4), "3 and 4 elements"),
        (np.ones(0), np.ones(0), "0 elements"),
        (np.ones((2, 2)), np.ones((2, 2)), "flatten"),
        (np.ones(2, complex), np.ones(2, complex), "must be real"),
        (np.array(["a"]), np.array(["b"]), "must be real"),
        (torch.ones(3), torch.ones(4), "3 and 4 elements"),
        (torch.ones(0), torch.ones(0), "0 elements"),
        (torch.ones(2, dtype=torch.cfloat), torch.ones(2), "must be real"),
    ],
)
def test_what_cannot_be_compared_is_refused(previous: Any, current: Any, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        weight_angle(previous, current)


def test_arrays_need_no_torch() -> None:
    code = (
        "import sys, numpy; from monitor.stability import weight_angle; "
        "weight_angle(numpy.ones(3), numpy.arange(3.0)); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
