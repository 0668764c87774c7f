"""Geometry of candidate boxes, (M, 4) x1, y1, x2, y2, counted from 1 as MTCNN does."""

import torch
from torch import Tensor


def extent(boxes: Tensor) -> Tensor:
    """(M, 2) float32, x2 − x1 and y2 − y1."""
    return boxes[:, 2:] - boxes[:, :2]


def squared(boxes: Tensor) -> Tensor:
    """Boxes widened around their centre to squares of their longer side."""
    sides = extent(boxes)
    longest = sides.amax(dim=1, keepdim=True)
    corner = boxes[:, :2] + sides * 0.5 - longest * 0.5
    return torch.cat((corner, corner + longest), dim=1)


def pixels_of(boxes: Tensor, height: int, width: int) -> Tensor:
    """What boxes cover of an image: (M, 4) int64 left, top, right, bottom, counted from 0.

    Right and bottom are the first pixels outside. Of a box off the image nothing is left: its
    right is not beyond its left, or its bottom not beyond its top.
    """
    left, top, right, bottom = boxes.trunc().long().unbind(dim=1)
    corner = (left.clamp(min=1) - 1, top.clamp(min=1) - 1)
    return torch.stack((*corner, right.clamp(max=width), bottom.clamp(max=height)), dim=1)
