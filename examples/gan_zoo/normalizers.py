"""Discriminators that are Lipschitz by construction: spectral and gradient normalization."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


def spectral(network: nn.Module) -> nn.Module:
    """Divide each layer's weight by its largest singular value, in place (Miyato et al. 2018).

    The singular value comes from one power iteration a forward pass (Xia, section II-C).
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear) and not hasattr(module, "parametrizations"):
            spectral_norm(module)
    return network


class GradientNormalized(nn.Module):
    """f̂(x) = f / (‖∇f‖ + |f|), inside (−1, 1) (GN: Wu et al. 2021; Xia, eq 5 and Table I)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples (N, …) to (N,) in (−1, 1), differentiable in weights and samples."""
        # Real samples bring no gradient of their own, and evaluation turns gradients off.
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            f = self.network(x, labels)
            (gradient,) = torch.autograd.grad(f.sum(), x, create_graph=True)
        return self.normalized(f, gradient.flatten(1))

    def normalized(self, f: Tensor, gradient: Tensor) -> Tensor:
        """f̂ of the values (N,) and gradients (N, d) of f."""
        return _share(f, gradient)


class PenaltyGradientNormalized(GradientNormalized):
    """f̂(x) = (1 − f) / (‖1 − ∇f‖ + |1 − f|) (PGN: Xia, Algorithm 1).

    Algorithm 1 and Table I subtract the gradient from one in every coordinate, and so does this;
    the derivation (eqs 11–14) has ‖∇(1 − f)‖ = ‖∇f‖ instead.
    """

    def normalized(self, f: Tensor, gradient: Tensor) -> Tensor:
        """f̂ of the values (N,) and gradients (N, d) of f."""
        return _share(1 - f, 1 - gradient)


def _share(value: Tensor, vector: Tensor) -> Tensor:
    total = vector.norm(dim=1) + value.abs()
    share: Tensor = value / total.clamp_min(torch.finfo(value.dtype).tiny)
    return share


NORMS = {"sn": spectral, "gn": GradientNormalized, "pgn": PenaltyGradientNormalized}
