"""Which trainings make an experiment, as command lines of `examples.gan_zoo.train`."""

from collections.abc import Sequence
from dataclasses import dataclass

#: The SQD paper's four losses (Table 1).
LOSSES = ("nsgan", "lsgan", "hinge", "wgan")
#: A gradient penalty differentiates twice: its iterations take about this many times as long.
PENALTY_COST = 2.0


@dataclass(frozen=True, slots=True)
class Setting:
    """How trainings on one kind of data go and are watched.

    Attributes:
        arguments: of every training on it.
        iterations: of each.
        samples, samples_every: of a batch of samples, and iterations from one to the next.
        weights_every: iterations from one pair of snapshots to the next.
    """

    arguments: tuple[str, ...]
    iterations: int
    samples: int
    samples_every: int
    weights_every: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One training.

    Attributes:
        model: what it is called in tables; trainings that differ in their seed alone share it.
        seed: of everything random in it.
        arguments: of its command line, without data, seed, iterations and name.
        cost: of an iteration, by that of a plain GAN.
    """

    model: str
    seed: int
    arguments: tuple[str, ...]
    cost: float = 1.0

    def name(self, data: str) -> str:
        """Of its run and its recording."""
        short = data.rstrip("/").rpartition("/")[2].replace(":", "-")
        return f"{short}-{self.model}-s{self.seed}".lower()


#: Faces at four times the usual learning rate, as in the demo: at 2e-4 nothing turns in 10,000
#: iterations. The mixture at the paper's length: 300 epochs of CelebA are 950,000 iterations.
SETTINGS = {
    "faces": Setting(("--learning-rate", "8e-4", "--batch", "32"), 10_000, 500, 200, 1),
    "mixture": Setting(("--learning-rate", "2e-4"), 200_000, 2000, 2000, 20),
    "folder": Setting(("--network", "dcgan64"), 100_000, 2000, 1000, 1),
}


def table2(seed: int) -> list[Planned]:
    """Four losses, with and without GP (SQD paper, Table 2 and Figures 3 to 5)."""
    plain = [Planned(loss.upper(), seed, ("--loss", loss)) for loss in LOSSES]
    return plain + [
        Planned(f"{loss.upper()}-GP", seed, ("--loss", loss, "--penalty", "gp"), PENALTY_COST)
        for loss in LOSSES
    ]


def table3(seed: int) -> list[Planned]:
    """NSGAN under the penalties of the SQD paper's Table 3, and GP with λ = 100 (Figure 7)."""
    models = {
        "GP-100": ("gp", "--penalty-weight", "100"),
        "Dragan": ("dragan",),
        "Lipschitz": ("lp",),
        "0-GP": ("0gp",),
    }
    return [
        Planned(f"NSGAN-{name}", seed, ("--penalty", *arguments), PENALTY_COST)
        for name, arguments in models.items()
    ]


def tan(seed: int) -> list[Planned]:
    """λ at L = 0, and L at λ = 10 (Tan et al., Tables 1 and 2), with their optimizer."""
    chosen = [(weight, 0.0) for weight in (5, 10, 20, 50, 100)]
    chosen += [(10, bound) for bound in (0.5, 1, 5, 10)]
    return [
        Planned(
            f"Tan-{weight}-{bound:g}",
            seed,
            (
                *("--penalty", "tan", "--penalty-weight", str(weight), "--bound", str(bound)),
                *("--optimizer", "oadam", "--betas", "0.5", "0.9"),
            ),
            PENALTY_COST,
        )
        for weight, bound in chosen
    ]


def n_cr(seed: int) -> list[Planned]:
    """Discriminator steps, with and without the step 1/L (Zubkov & Filatov, their last table)."""
    common = ("--loss", "wgan", "--norm", "sn", "--activation", "softplus")
    return [
        Planned(
            f"{name}-ncr{steps}",
            seed,
            (*common, "--n-cr", str(steps), "--generator-step", step),
            steps * cost,
        )
        for name, step, cost in (("Default", "optimizer", 1.0), ("Improved", "1/L", PENALTY_COST))
        for steps in (2, 4, 6)
    ]


def driven(seed: int) -> list[Planned]:
    """GANs that are pushed towards collapse: by the learning rate, or a strong discriminator."""
    return [
        Planned("NSGAN-fast", seed, ("--learning-rate", "2e-3")),
        Planned("Saturating", seed, ("--loss", "saturating")),
        Planned("NSGAN-ncr5", seed, ("--n-cr", "5"), 4.0),
        Planned("WGAN-clip", seed, ("--loss", "wgan", "--penalty", "clip")),
    ]


EXPERIMENTS = {"table2": table2, "table3": table3, "tan": tan, "n-cr": n_cr, "driven": driven}


def planned(
    experiment: str, seeds: Sequence[int], models: Sequence[str] | None = None
) -> list[Planned]:
    """Trainings of an experiment, seed by seed.

    Args:
        experiment: a key of `EXPERIMENTS`.
        seeds: of the trainings.
        models: only these; all of them by default.

    Raises:
        ValueError: the experiment has no such model.
    """
    every = [training for seed in seeds for training in EXPERIMENTS[experiment](seed)]
    known = {training.model for training in every}
    if unknown := set(models or ()) - known:
        raise ValueError(f"{min(unknown)!r} is none of {', '.join(sorted(known))}")
    return [training for training in every if not models or training.model in models]
