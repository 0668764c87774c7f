"""The losses, as three functions of the discriminator's raw output v (before any sigmoid)."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus

from examples.gan_zoo.divergences import DIVERGENCES, Divergence

Elementwise = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Loss:
    """What the networks minimise, element by element.

    Attributes:
        real: the discriminator's, on real samples.
        fake: the discriminator's, on generated samples.
        generator: the generator's, on generated samples.
    """

    real: Elementwise
    fake: Elementwise
    generator: Elementwise

    def of_discriminator(self, real: Tensor, fake: Tensor, wrong: Tensor | None = None) -> Tensor:
        """L_D (SQD paper, eq 1): E real(D(x)) + E fake(D(G(z))).

        Args:
            real: (N,) raw outputs for real samples.
            fake: (N,) raw outputs for generated samples.
            wrong: (N,) raw outputs for real samples under conditions not their own: the third
                term of the conditional GAN ("Improved GAN" slides).
        """
        loss = self.real(real).mean() + self.fake(fake).mean()
        return loss if wrong is None else loss + self.fake(wrong).mean()

    def of_generator(self, fake: Tensor) -> Tensor:
        """L_G (SQD paper, eq 2) of the (N,) raw outputs for generated samples."""
        return self.generator(fake).mean()


def f_gan(divergence: Divergence) -> Loss:
    """min_G max_D E[T(x)] − E[f*(T(G(z)))], T = g(v) ("Improved GAN" slides; Nowozin et al. 2016).

    Both networks play the one objective, as on the slides; Nowozin's other generator step
    (maximise E[T(G(z))], section 3.2) is not taken.
    """
    return Loss(
        real=lambda v: -divergence.activation(v),
        fake=divergence.conjugate_of_activation,
        generator=lambda v: -divergence.conjugate_of_activation(v),
    )


#: SQD paper, Table 1, with −log σ(v) = softplus(−v); saturating: Tan et al., eqs 2 and 3.
LOSSES = {
    "nsgan": Loss(lambda v: softplus(-v), softplus, lambda v: softplus(-v)),
    "saturating": Loss(lambda v: softplus(-v), softplus, lambda v: -softplus(v)),
    "lsgan": Loss(lambda v: (v - 1).square(), lambda v: v.square(), lambda v: (v - 1).square()),
    "hinge": Loss(lambda v: relu(1 - v), lambda v: relu(1 + v), lambda v: -v),
    "wgan": Loss(lambda v: -v, lambda v: v, lambda v: -v),
    **{f"fgan:{name}": f_gan(divergence) for name, divergence in DIVERGENCES.items()},
}
