"""f-divergences and their conjugates ("Improved GAN" slides; Nowozin et al. 2016).

D_f(P‖Q) = ∫ q f(p/q) = sup_T E_P[T] − E_Q[f*(T)] with f*(t) = sup_u {ut − f(u)}, u > 0. The
slides' column of D_f differs from their f, which is used here, in three places: Pearson's and
Neyman's integrals are swapped, and Jensen–Shannon's f gives twice the divergence.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from examples.gan_zoo.lambert import lambert_w_of_exp

#: π of the weighted Jensen–Shannon divergence; at ½ it would be the plain one, halved.
WEIGHT = 0.3
#: From this raw output on, log(1 − σ(v)ᵏ) = log k − v within float64.
FAR = 40.0


@dataclass(frozen=True, slots=True)
class Divergence:
    """One row of the slides' two tables.

    Attributes:
        f: convex with f(1) = 0 (for "gan" f(1) = −log 4), of u > 0.
        conjugate: f*, of t inside `domain`.
        domain: the t where the table's formula is sup over u > 0, from open end to open end.
        activation: g, from the raw output v to such t (Nowozin et al., Table 6).
        conjugate_of_activation: f*(g(v)), without the cancellation of doing one after the other.
    """

    f: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    domain: tuple[float, float]
    activation: Callable[[Tensor], Tensor]
    conjugate_of_activation: Callable[[Tensor], Tensor]


def _log_sigmoid(v: Tensor) -> Tensor:
    return -softplus(-v)


def _log_complement(v: Tensor, power: float) -> Tensor:
    """log(1 − σ(v)^power), which a float32 power near one would turn into log 0."""
    near = torch.log(-torch.expm1(-power * softplus(-v.clamp_max(FAR))))
    return torch.where(v > FAR, math.log(power) - v, near)


def _jeffrey_conjugate(t: Tensor) -> Tensor:
    """W + 1/W + t − 2 with W = W(e^{1−t})."""
    w = lambert_w_of_exp(1 - t)
    # 1/W as e^{W − (1 − t)}, whose slope does not square what is nearly too large already.
    return w + (w + t - 1).exp() + t - 2


def _weighted_jensen_shannon(weight: float) -> Divergence:
    """π = `weight` on P and 1 − π on Q."""
    rest, top = 1 - weight, -weight * math.log(weight)

    def f(u: Tensor) -> Tensor:
        mean = rest + weight * u
        return weight * u * u.log() - mean * mean.log()

    return Divergence(
        f,
        lambda t: rest * torch.log(rest / (1 - weight * (t / weight).exp())),
        (-math.inf, top),
        lambda v: top + _log_sigmoid(v),
        lambda v: rest * (math.log(rest) - _log_complement(v, 1 / weight)),
    )


DIVERGENCES = {
    "total-variation": Divergence(
        lambda u: (u - 1).abs() / 2,
        lambda t: t,
        (-0.5, 0.5),
        lambda v: v.tanh() / 2,
        lambda v: v.tanh() / 2,
    ),
    "kl": Divergence(
        lambda u: u * u.log(),
        lambda t: (t - 1).exp(),
        (-math.inf, math.inf),
        lambda v: v,
        lambda v: (v - 1).exp(),
    ),
    "reverse-kl": Divergence(
        lambda u: -u.log(),
        lambda t: -1 - (-t).log(),
        (-math.inf, 0),
        lambda v: -(-v).exp(),
        lambda v: v - 1,
    ),
    "pearson": Divergence(
        lambda u: (u - 1).square(),
        lambda t: t.square() / 4 + t,
        # Below −2 the table's formula is the sup over all u, also negative: still a bound.
        (-2, math.inf),
        lambda v: v,
        lambda v: v.square() / 4 + v,
    ),
    "neyman": Divergence(
        lambda u: (1 - u).square() / u,
        lambda t: 2 - 2 * (1 - t).sqrt(),
        (-math.inf, 1),
        lambda v: 1 - (-v).exp(),
        lambda v: 2 - 2 * (-v / 2).exp(),
    ),
    "hellinger": Divergence(
        lambda u: (u.sqrt() - 1).square(),
        lambda t: t / (1 - t),
        (-math.inf, 1),
        lambda v: 1 - (-v).exp(),
        lambda v: v.exp() - 1,
    ),
    "jeffrey": Divergence(
        lambda u: (u - 1) * u.log(),
        _jeffrey_conjugate,
        (-math.inf, math.inf),
        lambda v: v,
        _jeffrey_conjugate,
    ),
    "js": Divergence(
        lambda u: u * u.log() - (u + 1) * ((1 + u) / 2).log(),
        lambda t: -(2 - t.exp()).log(),
        (-math.inf, math.log(2)),
        lambda v: math.log(2) + _log_sigmoid(v),
        lambda v: softplus(v) - math.log(2),
    ),
    "weighted-js": _weighted_jensen_shannon(WEIGHT),
    "gan": Divergence(
        lambda u: u * u.log() - (u + 1) * (u + 1).log(),
        lambda t: -(1 - t.exp()).log(),
        (-math.inf, 0),
        _log_sigmoid,
        softplus,
    ),
}
