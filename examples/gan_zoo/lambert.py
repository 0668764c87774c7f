"""Lambert's W of an exponential, which does not overflow."""

import torch
from torch import Tensor

#: Newton steps; each doubles the correct digits, and six reach float64's from either start.
STEPS = 6
#: Below this y, W(eʸ) is eʸ within float64.
SMALL = -40.0


def lambert_w_of_exp(y: Tensor) -> Tensor:
    """W(eʸ): the w > 0 with w + log w = y (needed by Jeffrey's conjugate, W(e^{1−t})).

    Its derivative, w / (1 + w), is exact; derivatives of that are not defined.

    Args:
        y: any shape, float.
    """
    solvable = y.clamp_min(SMALL)
    with torch.no_grad():
        large = y.clamp_min(1)
        w = torch.where(y > 1, large - large.log(), solvable.clamp_max(1).exp())
        for _ in range(STEPS):
            w = _newton(w, solvable)
    return torch.where(y > SMALL, _newton(w, solvable), y.clamp_max(SMALL).exp())


def _newton(w: Tensor, y: Tensor) -> Tensor:
    """One step on w + log w − y = 0; with w held fixed, d/dy of it is w / (1 + w)."""
    return w * (1 + y - w.log()) / (1 + w)
