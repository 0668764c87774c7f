"""What is trained, as one frozen object."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from examples.gan_zoo.penalties import GRADIENT_PENALTIES, Critic, after_sigmoid, tan
from examples.gan_zoo.regularizers import adversarial_lipschitz, consistency

Penalty = Callable[[Critic, Tensor, Tensor], Tensor]

#: Weights λ: 10 in the SQD paper, Tan et al. and Zhang et al. 2020; 100 in Terjék 2020.
WEIGHT, ALR_WEIGHT = 10.0, 100.0
PENALTIES = (*GRADIENT_PENALTIES, "clip", "alr", "cr")
#: `optimizer`: as for the discriminator; `1/L`: gradient descent with the smoothness bound's step.
GENERATOR_STEPS = ("optimizer", "1/L")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides how a training goes, but for its length.

    Attributes:
        loss, penalty, norm, data, network, activation, optimizer: names, see the tables.
        width: of the hidden layers; None for the network's own.
        conditional: labels go to both networks.
        learning_rate, betas: of the optimizers.
        generator_step: an element of `GENERATOR_STEPS`.
        n_cr: discriminator steps an iteration.
        batch: samples of a step.
        penalty_weight: λ; None for the usual one.
        bound: L of the penalty tan.
        after_sigmoid: penalise σ(D) in place of D.
        clip: c of the penalty clip.
        seed: of everything random.
    """

    loss: str = "nsgan"
    penalty: str | None = None
    norm: str | None = None
    data: str = "faces"
    network: str | None = None
    width: int | None = None
    activation: str = "relu"
    conditional: bool = False
    optimizer: str = "adam"
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    generator_step: str = "optimizer"
    n_cr: int = 1
    batch: int = 64
    penalty_weight: float | None = None
    bound: float = 0.0
    after_sigmoid: bool = False
    clip: float = 0.01
    seed: int = 0

    def penalty_term(self) -> Penalty | None:
        """The penalty with its weight, or None if the loss gets none (clipping acts later)."""
        named: dict[str, Penalty] = {
            **GRADIENT_PENALTIES,
            "tan": tan(self.bound),
            "alr": adversarial_lipschitz,
            "cr": consistency,
        }
        if self.penalty is None or self.penalty == "clip":
            return None
        term, weight = named[self.penalty], self.penalty_weight
        if weight is None:
            weight = ALR_WEIGHT if self.penalty == "alr" else WEIGHT
        return lambda critic, real, fake: weight * term(self._penalised(critic), real, fake)

    def _penalised(self, critic: Critic) -> Critic:
        return after_sigmoid(critic) if self.after_sigmoid else critic
