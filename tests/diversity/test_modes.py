"""Nearest modes against the definition, at ties and near ties, and in any pieces."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from monitor.diversity import modes
from monitor.diversity.modes import nearest_mode
from monitor.errors import EmbedderError, ReferenceError

Rows = NDArray[np.float32]


def by_definition(features: NDArray[Any], centroids: NDArray[Any]) -> list[int]:
    """Argmin of ‖f − c‖, one pair at a time, in 80-bit arithmetic."""
    exact = centroids.astype(np.longdouble)
    return [int(np.square(exact - f).sum(axis=1).argmin()) for f in features.astype(np.longdouble)]


def random_rows(n: int, d: int, seed: int) -> Rows:
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def unit(rows: Rows) -> Rows:
    lengths: Rows = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths


@pytest.mark.parametrize(("offset", "scale"), [(0, 1), (1000, 1), (0, 1e-18), (0, 1e18)])
def test_is_the_argmin_of_the_distance(offset: float, scale: float) -> None:
    features = (unit(random_rows(200, 64, 0)) * scale + offset).astype(np.float32)
    centroids = (unit(random_rows(300, 64, 1)) * scale + offset).astype(np.float32)
    found = nearest_mode(features, centroids)
    assert found.dtype == np.int64
    assert found.tolist() == by_definition(features, centroids)


@given(
    arrays(np.float32, (5, 3), elements=st.integers(-2, 2)),
    arrays(np.float32, (6, 3), elements=st.integers(-2, 2)),
)
def test_ties_go_to_the_lowest_index(features: Rows, centroids: Rows) -> None:
    # Small whole numbers tie all the time, and every distance is exact.
    assert nearest_mode(features, centroids).tolist() == by_definition(features, centroids)


def test_equal_centroids_tie_wherever_they_stand() -> None:
    centroid = unit(random_rows(1, 512, 2))
    centroids = np.repeat(centroid, 1003, axis=0)
    assert nearest_mode(unit(random_rows(40, 512, 3)), centroids).tolist() == [0] * 40


def test_near_ties_are_decided_by_the_distance() -> None:
    # Pairs of centroids 1e-9 apart and far from the origin: |c|² − 2 f·c is rounded to 1e-6 and
    # cannot tell them apart, the distance itself can.
    features = random_rows(50, 128, 4) + 1e4
    centroids = np.repeat(random_rows(30, 128, 5) + 1e4, 2, axis=0).astype(np.float64)
    centroids[::2, 7] += 1e-9
    found = nearest_mode(features.astype(np.float64), centroids)
    assert found.tolist() == by_definition(features, centroids)
    assert set(found % 2) == {0, 1}


def test_pieces_and_order_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    features, centroids = random_rows(97, 16, 6), random_rows(40, 16, 7)
    whole = nearest_mode(features, centroids)
    order = np.random.default_rng(8).permutation(97)
    assert (nearest_mode(features[order], centroids) == whole[order]).all()
    for held in (1, 40 * 5, 40 * 96):
        monkeypatch.setattr(modes, "DISTANCES_PER_CHUNK", held)
        assert (nearest_mode(features, centroids) == whole).all()


def test_near_ties_of_float32_are_those_of_float64() -> None:
    # Pairs of centroids 1e-6 apart: float32 distances of 1 cannot tell them, float64's can.
    features, base = unit(random_rows(300, 64, 11)), unit(random_rows(80, 64, 12))
    centroids = np.repeat(base, 2, axis=0).astype(np.float64)
    centroids[::2] += 1e-8 * random_rows(80, 64, 13)
    found = nearest_mode(features, centroids)
    assert found.tolist() == by_definition(features, centroids)
    assert set(found % 2) == {0, 1}
    rounded = np.square(features[:, None] - centroids.astype(np.float32)).sum(axis=2)
    assert (rounded.argmin(axis=1) != found).sum() > 50


@pytest.mark.parametrize(
    ("small", "large"),
    [(1e-40, 1.0), (1.0, 1e-40), (1e-200, 1e200), (1e-310, 1e-310), (1e300, 1e300)],
)
def test_scales_beyond_float32(small: float, large: float) -> None:
    features = random_rows(20, 8, 14).astype(np.float64) * small
    centroids = random_rows(9, 8, 15).astype(np.float64) * large
    exact = [[sum((Fraction(x) - Fraction(y)) ** 2 for x, y in zip(f, c, strict=True))
              for c in centroids.tolist()] for f in features.tolist()]  # fmt: skip
    assert nearest_mode(features, centroids).tolist() == [row.index(min(row)) for row in exact]


def test_products_that_may_round_more_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    features, centroids = unit(random_rows(100, 64, 16)), unit(random_rows(80, 64, 17))
    expected = by_definition(features, centroids)
    screened: list[torch.dtype] = []
    kept = modes._Screen.closest

    def noted(screen: modes._Screen, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        screened.append(screen._dtype)
        return kept(screen, rows)

    monkeypatch.setattr(modes._Screen, "closest", noted)
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "high")
    assert nearest_mode(features, centroids).tolist() == expected
    assert set(screened) == {torch.float64}


def test_screens_leave_one_mode_to_most_features(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    kept = modes._by_distance

    def counted(rows: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        asked.append(len(rows))
        return kept(rows, *rest)

    monkeypatch.setattr(modes, "_by_distance", counted)
    nearest_mode(unit(random_rows(400, 512, 18)), unit(random_rows(500, 512, 19)))
    assert sum(asked) < 40


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_runs_on_the_device_of_the_features() -> None:
    features, centroids = unit(random_rows(500, 512, 20)), unit(random_rows(900, 512, 21))
    expected = nearest_mode(features, centroids)
    assert (nearest_mode(features, centroids, "cuda") == expected).all()
    found = nearest_mode(torch.from_numpy(features).cuda(), centroids)
    assert found.device.type == "cuda"
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_are_answered_with_tensors(dtype: torch.dtype) -> None:
    features = torch.from_numpy(random_rows(30, 8, 9)).to(dtype).requires_grad_()
    centroids = torch.from_numpy(random_rows(12, 8, 10))
    found = nearest_mode(features, centroids)
    assert found.dtype == torch.int64
    expected = by_definition(features.detach().double().numpy(), centroids.numpy())
    assert found.tolist() == expected


def test_no_features_have_no_modes() -> None:
    found = nearest_mode(np.zeros((0, 4), np.float32), np.ones((2, 4), np.float32))
    assert found.shape == (0,)
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    ("features", "centroids", "error", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), ReferenceError, r"\(2, 3\).*4 dimensions"),
        (np.ones(4), np.ones((2, 4)), ReferenceError, r"\(4,\)"),
        (np.ones((2, 4)), np.ones((0, 4)), ReferenceError, "at least one mode"),
        (np.ones((2, 4)), np.array([[1.0] * 4, [np.inf] * 4]), ReferenceError, "centroid 1 of 2"),
        (np.array([[1.0], [np.nan]]), np.ones((2, 1)), EmbedderError, "feature 1 of 2"),
        (np.array([[-np.inf], [0.0]]), np.ones((2, 1)), EmbedderError, "feature 0 of 2"),
    ],
)
def test_what_has_no_nearest_mode_is_refused(
    features: Any, centroids: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        nearest_mode(features, centroids)
