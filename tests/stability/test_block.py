"""Blocks of snapshots: every pair against its 50-digit twin, and against pairs one by one."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monitor.stability import angle_terms, block_terms
from monitor.stability.angle import CHUNK_ELEMENTS
from tests.reference.angle import weight_angle as exact_angle
from tests.stability.test_angle import ANGLES, rotated

KINDS = (np.asarray, torch.as_tensor)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_pair_agrees_with_fifty_digits(kind: Any, dtype: type[np.floating[Any]]) -> None:
    turned = [rotated(angle) for angle in ANGLES]
    snapshots = np.stack([turned[0][0], *(v for _, v in turned)]).astype(dtype)
    pairs = [(0, i + 1) for i in range(len(ANGLES))]
    found = block_terms(kind(snapshots), *zip(*pairs, strict=True))
    for terms, (before, after) in zip(found, pairs, strict=True):
        expected = exact_angle(snapshots[before], snapshots[after])
        assert terms.angle() == pytest.approx(expected, rel=1e-9, abs=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [2, 5, CHUNK_ELEMENTS // 100])
def test_chunks_add_up(kind: Any, count: int) -> None:
    rng = np.random.default_rng(0)
    length = 2 * CHUNK_ELEMENTS // count + 3
    snapshots = rng.standard_normal((count, length)).astype(np.float32)
    first, second = [0, 1, count - 2, count - 1], [1, 0, count - 1, 0]
    found = block_terms(kind(snapshots), first, second)
    for terms, before, after in zip(found, first, second, strict=True):
        expected = angle_terms(snapshots[before], snapshots[after])
        assert terms.dot == pytest.approx(expected.dot, rel=1e-11)
        assert terms.weight_square == pytest.approx(expected.weight_square, rel=1e-12)
        assert terms.change_square == pytest.approx(expected.change_square, rel=1e-12)


@given(st.integers(2, 6), st.integers(1, 9), st.integers(0, 99))
def test_equal_snapshots_have_no_angle(count: int, length: int, seed: int) -> None:
    row = np.random.default_rng(seed).standard_normal(length).astype(np.float32)
    snapshots = np.tile(row, (count, 1))
    snapshots[-1] *= -1
    angles = [t.angle() for t in block_terms(snapshots, range(count - 1), range(1, count))]
    assert angles == [*[0.0] * (count - 2), math.pi]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_bad_snapshot_spoils_its_pairs_alone(kind: Any, bad: float) -> None:
    snapshots = np.arange(20, dtype=np.float32).reshape(4, 5) ** 2
    snapshots[1, 2] = bad
    found = block_terms(kind(snapshots), [0, 1, 2], [1, 2, 3])
    assert [terms.finite for terms in found] == [False, False, True]


def test_no_pairs_have_no_terms() -> None:
    assert block_terms(np.ones((2, 3)), [], []) == []
