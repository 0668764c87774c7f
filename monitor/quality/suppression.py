"""Non-maximum suppression of all images' boxes at once."""

import torch
from torch import Tensor
from torchvision.ops import batched_nms

#: Bytes that comparing two boxes takes: eight float32 tables of all pairs.
BYTES_PER_PAIR = 32


def ranked(scores: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes by group, then by falling score; equal scores stay in their order.

    Args:
        scores: (M,) float32.
        groups: (M,) int64, e.g. the image of each box.

    Returns:
        (M,) int64 order, and the (M,) int64 rank of each in its group, in that order; 0 is best.
    """
    by_score = scores.argsort(descending=True, stable=True)
    order = by_score[groups[by_score].argsort(stable=True)]
    sizes = groups.bincount()
    first = (sizes.cumsum(dim=0) - sizes)[groups[order]]
    return order, torch.arange(len(order), device=order.device) - first


def suppress(
    boxes: Tensor, scores: Tensor, groups: Tensor, threshold: float, max_bytes: int
) -> Tensor:
    """Greedy non-maximum suppression within groups, as torchvision's ``batched_nms``.

    Instead of one box after another, all groups are padded to (G, K) and decided together: a box
    stays if no better one that stays overlaps it. Asking this of everybody until no answer
    changes takes as many rounds as the longest chain of overlaps has links.

    Args:
        boxes: (M, 4) float32 x1, y1, x2, y2.
        scores: (M,) float32.
        groups: (M,) int64.
        threshold: intersection over union above which the lower score goes.
        max_bytes: that comparisons may take. Where crowds need more, torchvision's suppression,
            which needs no table of pairs, gives the same.

    Returns:
        (≤ M,) int64, the boxes that stay, by group and falling score.
    """
    if len(boxes) == 0:
        return groups
    order, rank = ranked(scores, groups)
    group = (rank == 0).cumsum(dim=0) - 1
    count, widest = int(group[-1]) + 1, int(rank.max()) + 1
    if count * widest**2 * BYTES_PER_PAIR > max_bytes:
        kept: Tensor = batched_nms(boxes, scores, groups, threshold)
        return kept[groups[kept].argsort(stable=True)]
    padded = boxes.new_zeros(count, widest, 4)
    padded[group, rank] = boxes[order]
    stays = _undominated(_overlaps(padded) > threshold)
    return order[stays[group, rank]]


def _overlaps(boxes: Tensor) -> Tensor:
    """(G, K, 4) boxes to (G, K, K) intersections over unions; NaN where neither has an area."""
    x1, y1, x2, y2 = boxes.unbind(dim=2)
    width = torch.minimum(x2[:, :, None], x2[:, None]) - torch.maximum(x1[:, :, None], x1[:, None])
    height = torch.minimum(y2[:, :, None], y2[:, None]) - torch.maximum(y1[:, :, None], y1[:, None])
    shared = width.clamp(min=0) * height.clamp(min=0)
    area = (x2 - x1) * (y2 - y1)
    return shared / (area[:, :, None] + area[:, None] - shared)


def _undominated(overlapping: Tensor) -> Tensor:
    """(G, K, K) which boxes overlap, best first, to (G, K) which of them stay."""
    better = overlapping.triu(diagonal=1)
    stays = torch.ones_like(better[:, 0])
    while True:
        settled = ~(better & stays[:, :, None]).any(dim=1)
        if torch.equal(settled, stays):
            return stays
        stays = settled
