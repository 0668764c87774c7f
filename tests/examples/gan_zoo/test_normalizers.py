"""Normalised discriminators against closed forms, singular values and finite differences."""

import pytest
import torch
from torch import Tensor, nn

from examples.gan_zoo.networks import Network, build
from examples.gan_zoo.normalizers import (
    GradientNormalized,
    PenaltyGradientNormalized,
    spectral,
)

W = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64)


class Linear(nn.Module):
    """f(x) = w·x + ½."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return x @ W + 0.5


def smooth() -> Network:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    return Network(body).double()


def test_gn_of_a_linear_function() -> None:
    x = torch.randn(5, 3, dtype=torch.float64)
    f = x @ W + 0.5
    torch.testing.assert_close(GradientNormalized(Linear())(x), f / (3 + f.abs()))


def test_pgn_of_a_linear_function() -> None:
    x = torch.randn(5, 3, dtype=torch.float64)
    f = x @ W + 0.5
    expected = (1 - f) / ((1 - W).norm() + (1 - f).abs())
    torch.testing.assert_close(PenaltyGradientNormalized(Linear())(x), expected)


@pytest.mark.parametrize("kind", [GradientNormalized, PenaltyGradientNormalized])
def test_slopes_in_samples_and_weights_against_finite_differences(
    kind: type[GradientNormalized],
) -> None:
    network = kind(smooth())
    weight = network.network.get_parameter("body.0.weight")

    def of(x: Tensor, values: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(
            network, {"network.body.0.weight": values}, (x,)
        )
        return result

    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(of, (x, weight.detach().clone().requires_grad_()))


def test_gn_makes_a_piecewise_linear_network_lipschitz() -> None:
    # ‖∇f̂‖ = (‖∇f‖/(‖∇f‖ + |f|))² ≤ 1 where the second derivative vanishes (Wu et al., theorem 1).
    torch.manual_seed(3)
    body = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    x = (3 * torch.randn(200, 3)).requires_grad_()
    (steep,) = torch.autograd.grad(50 * body(x).sum(), x)
    with torch.no_grad():
        for parameter in body[2].parameters():
            parameter.mul_(50)
    (gradient,) = torch.autograd.grad(GradientNormalized(Network(body))(x).sum(), x)
    assert float(steep.norm(dim=1).max()) > 10
    assert float(gradient.norm(dim=1).max()) <= 1 + 1e-4


def test_gn_needs_no_gradient_mode_around_it() -> None:
    x = torch.randn(4, 3, dtype=torch.float64)
    network = GradientNormalized(smooth())
    expected = network(x)
    with torch.no_grad():
        torch.testing.assert_close(network(x), expected)


def test_sn_brings_every_layers_largest_singular_value_to_one() -> None:
    network = spectral(build("demo", (1, 32, 32), width=4)[1])
    for _ in range(100):  # each pass in training is one step of the power iteration
        network(torch.randn(2, 1, 32, 32))
    network.eval()
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(layers) == 4
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0]
        assert float(largest) == pytest.approx(1, abs=0.01)


def test_sn_normalises_no_layer_twice() -> None:
    discriminator = spectral(build("tan", (1, 32, 32), width=2)[1])
    originals = [name for name, _ in discriminator.named_parameters() if "original" in name]
    assert len(originals) == len({name.split(".parametrizations")[0] for name in originals}) == 8
