"""Coloured shapes on black, drawn as wanted: 25 modes, one for each shape in each colour."""

from collections.abc import Callable

import torch
from torch import Tensor

#: Radius of a shape and its centre's distance from the middle, in units of half the side.
SMALLEST, LARGEST, OFF_CENTRE = 0.35, 0.6, 0.3
#: Half the thickness of ring and bars of the cross, in units of the radius.
THICKNESS = 0.3

#: Signed distance to each shape's edge (negative inside) at x and y, in units of its radius.
SHAPES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "circle": lambda x, y: (x.square() + y.square()).sqrt() - 1,
    "square": lambda x, y: torch.maximum(x.abs(), y.abs()) - 0.9,
    "triangle": lambda x, y: torch.maximum(0.87 * x.abs() - y / 2, y) - 0.5,
    "ring": lambda x, y: ((x.square() + y.square()).sqrt() - 1 + THICKNESS).abs() - THICKNESS,
    "cross": lambda x, y: torch.maximum(
        torch.minimum(x.abs(), y.abs()) - THICKNESS, torch.maximum(x.abs(), y.abs()) - 1
    ),
}
COLOURS = {
    "red": (1.0, 0.1, 0.1),
    "green": (0.1, 0.9, 0.1),
    "blue": (0.2, 0.3, 1.0),
    "yellow": (1.0, 0.9, 0.1),
    "white": (1.0, 1.0, 1.0),
}
#: Names of the modes; a label is an index into it.
MODES = [f"{colour} {shape}" for shape in SHAPES for colour in COLOURS]


def draw_shapes(n: int, side: int) -> tuple[Tensor, Tensor]:
    """(n, 3, side, side) float32 in [−1, 1] and (n,) int64 modes, equally likely."""
    labels = torch.randint(len(MODES), (n,))
    return render(labels, side), labels


def render(labels: Tensor, side: int) -> Tensor:
    """One image (3, side, side) of each mode of (n,) labels, at a random place and size."""
    n = len(labels)
    centres = OFF_CENTRE * (2 * torch.rand(n, 2, 1, 1) - 1)
    radii = SMALLEST + (LARGEST - SMALLEST) * torch.rand(n, 1, 1)
    line = (2 * torch.arange(side) + 1) / side - 1
    x = ((line - centres[:, 0]) / radii).expand(n, side, side)
    y = ((line[:, None] - centres[:, 1]) / radii).expand(n, side, side)
    distances = torch.stack([edge(x, y) for edge in SHAPES.values()])
    chosen = distances[labels // len(COLOURS), torch.arange(n)]
    # A pixel on the edge is covered in part: edges stay smooth in place and size.
    covered = (0.5 - chosen * radii * side / 2).clamp(0, 1)[:, None]
    colours = torch.tensor(list(COLOURS.values()))[labels % len(COLOURS)]
    return 2 * covered * colours[:, :, None, None] - 1
