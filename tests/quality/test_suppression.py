"""Suppression of all groups at once against torchvision's, one box after another."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.ops import nms

from monitor.quality.suppression import ranked, suppress

#: Enough for every table of these tests.
MAX_BYTES = 2**27


def one_by_one(boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> list[int]:
    """Group after group by torchvision, which scans boxes by falling score."""
    kept: list[int] = []
    for group in sorted(set(groups.tolist())):
        members = (groups == group).nonzero()[:, 0]
        kept += members[nms(boxes[members], scores[members], threshold)].tolist()
    return kept


def crowd(seed: int, count: int, groups: int, levels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes that overlap a lot, scores with many ties, and sparse group numbers."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * 40 - 5
    sides = torch.rand(count, 2, generator=generator) * 30
    scores = torch.randint(levels, (count,), generator=generator) / levels
    group = torch.randint(groups, (count,), generator=generator) * 3
    return torch.cat((corner, corner + sides), dim=1), scores, group


@given(
    st.integers(0, 10_000),
    st.integers(0, 120),
    st.integers(1, 6),
    st.sampled_from([3, 10_000]),
    st.sampled_from([0.3, 0.5, 0.7]),
)
def test_keeps_what_torchvision_keeps_in_its_order(
    seed: int, count: int, groups: int, levels: int, threshold: float
) -> None:
    boxes, scores, group = crowd(seed, count, groups, levels)
    expected = one_by_one(boxes, scores, group, threshold)
    assert suppress(boxes, scores, group, threshold, MAX_BYTES).tolist() == expected


def test_a_long_chain_of_overlaps() -> None:
    # Each box overlaps only its neighbours, so every second one stays: the slowest case.
    x = torch.arange(60) * 4.0
    boxes = torch.stack((x, torch.zeros(60), x + 10, torch.full((60,), 10.0)), dim=1)
    scores = torch.linspace(1, 0.5, 60)
    kept = suppress(boxes, scores, torch.zeros(60, dtype=torch.long), 0.3, MAX_BYTES)
    assert kept.tolist() == list(range(0, 60, 2))


def test_boxes_without_area_stay() -> None:
    boxes = torch.tensor([[3.0, 3, 3, 3], [3.0, 3, 3, 3], [1.0, 1, 5, 5]])
    kept = suppress(
        boxes, torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3, dtype=torch.long), 0.5, MAX_BYTES
    )
    assert kept.tolist() == [0, 1, 2]


def test_crowds_too_large_for_a_table_keep_the_same() -> None:
    boxes, scores, group = crowd(seed=1, count=200, groups=3, levels=5)
    by_table = suppress(boxes, scores, group, 0.5, MAX_BYTES).tolist()
    assert suppress(boxes, scores, group, 0.5, max_bytes=1).tolist() == by_table


def test_ranks_start_at_the_best_of_each_group() -> None:
    scores = torch.tensor([0.1, 0.9, 0.5, 0.9, 0.7])
    groups = torch.tensor([7, 2, 7, 2, 2])
    order, rank = ranked(scores, groups)
    assert order.tolist() == [1, 3, 4, 2, 0]
    assert rank.tolist() == [0, 1, 2, 0, 1]
