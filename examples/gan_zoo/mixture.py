"""Mixtures of normal distributions in the plane, whose modes are known."""

from dataclasses import dataclass

import torch
from torch import Tensor

#: Side of the grid of modes, and distance between neighbours.
GRID_SIDE, GRID_STEP = 5, 2.0
#: Deviation of every mode of the grid.
GRID_DEVIATION = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A linear combination of normal densities: Σ wᵢ N(meanᵢ, deviation² I).

    Attributes:
        means: (m, 2) float32.
        weights: (m,) float32, positive, sum 1.
        deviation: of every mode.
    """

    means: Tensor
    weights: Tensor
    deviation: float

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """(n, 2) float32 points and the (n,) int64 indices of their modes."""
        labels = torch.multinomial(self.weights, n, replacement=True)
        return self.means[labels] + self.deviation * torch.randn(n, 2), labels

    def density(self, points: Tensor) -> Tensor:
        """(N,) values of the density at (N, 2) points."""
        variance = self.deviation**2
        squares = (points[:, None] - self.means).square().sum(2)
        return (self.weights * torch.exp(-squares / (2 * variance))).sum(1) / (
            2 * torch.pi * variance
        )


def _grid() -> Mixture:
    line = GRID_STEP * (torch.arange(GRID_SIDE) - (GRID_SIDE - 1) / 2)
    means = torch.cartesian_prod(line, line)
    return Mixture(means, torch.full((len(means),), 1 / len(means)), GRID_DEVIATION)


#: 25 equal modes at {−4, −2, 0, 2, 4}², the mixture that GAN papers count modes on.
GRID = _grid()
#: A linear combination with unequal weights, as in Figure 3 of Zubkov & Filatov. The figure's
#: numbers are not in the text of the slides: these are this project's.
SLIDES = Mixture(
    torch.tensor([[-2.0, -2.0], [-2.0, 2.0], [2.0, -2.0], [2.0, 2.0]]),
    torch.tensor([0.4, 0.3, 0.2, 0.1]),
    0.3,
)
