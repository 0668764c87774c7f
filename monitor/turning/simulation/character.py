"""How trainings with different losses differ in S, as recorded runs and the papers show them."""

from dataclasses import dataclass
from typing import Literal

Loss = Literal["nsgan", "lsgan", "hinge", "wgan"]


@dataclass(frozen=True, slots=True)
class Character:
    """Ranges of what chance decides; each a lowest and a highest value.

    Attributes:
        generator_end, discriminator_end: angle that S settles to, radians a step.
        generator_noise, discriminator_noise: standard deviation of log S.
        jump: height of a jump of S.D, as a factor.
        generator_jump: of S.G at the same time.
        ahead: batches by which S jumps before Q or D fall.
        critic_steps: steps of the discriminator for each of the generator: S.G is 0 in between.
        pace: factor on the time until faces appear.
    """

    generator_end: tuple[float, float] = (0.003, 0.007)
    discriminator_end: tuple[float, float] = (0.0005, 0.005)
    generator_noise: tuple[float, float] = (0.02, 0.08)
    discriminator_noise: tuple[float, float] = (0.1, 0.3)
    jump: tuple[float, float] = (36, 150)
    generator_jump: tuple[float, float] = (2.4, 3.8)
    ahead: tuple[float, float] = (0, 2)
    critic_steps: int = 1
    pace: float = 1.0


#: NSGAN: 36- to 150-fold jumps were recorded. LSGAN: tenfold, three batches ahead. Hinge: S.D is
#: noisy and rises two- to sixfold. WGAN: five steps of the critic, quiet, slow to learn.
CHARACTERS: dict[Loss, Character] = {
    "nsgan": Character(),
    "lsgan": Character(jump=(5, 20), generator_jump=(2, 3), ahead=(1, 3)),
    "hinge": Character(
        discriminator_noise=(0.2, 0.5), jump=(2.5, 8), generator_jump=(1.6, 2.4), ahead=(0, 1)
    ),
    "wgan": Character(
        discriminator_noise=(0.05, 0.15),
        jump=(3, 10),
        generator_jump=(1.8, 3),
        critic_steps=5,
        pace=1.8,
    ),
}
