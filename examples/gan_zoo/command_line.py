"""The command line of a training."""

import argparse
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from examples.gan_zoo.dcgan import ACTIVATIONS
from examples.gan_zoo.losses import LOSSES
from examples.gan_zoo.networks import NETWORKS
from examples.gan_zoo.normalizers import NORMS
from examples.gan_zoo.optimizers import OPTIMIZERS
from examples.gan_zoo.recipe import GENERATOR_STEPS, PENALTIES, Recipe


@dataclass(frozen=True, slots=True)
class Session:
    """What surrounds a training and may change when it is resumed."""

    run: str
    iterations: int
    checkpoint: Path | None
    checkpoint_every: int
    samples: int | None
    samples_every: int | str | None
    device: str
    threads: int


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and leaves with 2."""

    def error(self, message: str) -> NoReturn:
        """End the process."""
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(2)


def parser() -> Parser:
    """The command line of `python -m examples.gan_zoo.train`."""
    made = Parser(
        prog="python -m examples.gan_zoo.train",
        description="Train one GAN of the zoo, watched by the two hook calls.",
        allow_abbrev=False,
    )
    _add_recipe(made)
    _add_session(made)
    return made


def _add_recipe(made: Parser) -> None:
    add = made.add_argument_group("what is trained").add_argument
    add("--loss", choices=LOSSES, metavar="NAME", help=", ".join(LOSSES))
    add("--penalty", choices=PENALTIES, metavar="NAME", help=", ".join(PENALTIES))
    add("--norm", choices=NORMS, metavar="NAME", help="of the discriminator: " + ", ".join(NORMS))
    add("--data", metavar="NAME", help="faces, mixture, mixture:slides, shapes or folder:PATH")
    add("--network", choices=NETWORKS, help="default demo, or mlp for points")
    add("--width", type=_positive, help="of the hidden layers; default the network's own")
    add("--activation", choices=ACTIVATIONS, help="relu, or a smooth one (%(default)s)")
    add("--conditional", action="store_true", help="tell both networks the label")
    add("--optimizer", choices=OPTIMIZERS, help="(%(default)s)")
    add("--learning-rate", type=_above_zero, metavar="ETA", help="of both networks (%(default)s)")
    add("--betas", type=_share, nargs=2, metavar="BETA", help="of the optimizer %(default)s")
    steps = "as the optimizer does, or gradient descent by 1/L from the smoothness bound"
    add("--generator-step", choices=GENERATOR_STEPS, help=f"{steps} (%(default)s)")
    add(
        "--n-cr", type=_positive, metavar="N", help="discriminator steps an iteration (%(default)s)"
    )
    add("--batch", type=_positive, metavar="N", help="samples of a step (%(default)s)")
    add("--penalty-weight", type=_not_negative, metavar="LAMBDA", help="default 10, of alr 100")
    add("--bound", type=_not_negative, metavar="L", help="of the penalty tan (%(default)s)")
    add("--after-sigmoid", action="store_true", help="penalise the sigmoid of D")
    add("--clip", type=_above_zero, metavar="C", help="bound of the penalty clip (%(default)s)")
    add("--seed", type=_whole, metavar="N", help="of everything random (%(default)s)")
    made.set_defaults(**asdict(Recipe()))


def _add_session(made: Parser) -> None:
    add = made.add_argument_group("around it").add_argument
    add("--iterations", type=_positive, default=10_000, metavar="N", help="(%(default)s)")
    add("--run", metavar="NAME", help="default made of loss, penalty, norm, data and seed")
    add("--checkpoint", type=Path, metavar="DIR", help="continue from there, and save there")
    add("--checkpoint-every", type=_positive, default=1000, metavar="N", help="(%(default)s)")
    add("--samples", type=_positive, metavar="N", help="of a batch; default the hooks' own")
    add("--samples-every", type=_steps, metavar="N", help="iterations, epoch or auto")
    add("--device", default="auto", help="auto (a GPU if there is one), cpu or cuda:N")
    add("--threads", type=_positive, default=1, metavar="N", help="of torch (%(default)s)")


def parse(argv: list[str] | None = None) -> tuple[Recipe, Session]:
    """Recipe and session of a command line; ends the process with 2 if it is bad."""
    given: dict[str, Any] = vars(parser().parse_args(argv))
    given["betas"] = tuple(given["betas"])
    recipe = Recipe(**{field.name: given[field.name] for field in fields(Recipe)})
    given["run"] = given["run"] or default_run(recipe)
    return recipe, Session(**{field.name: given[field.name] for field in fields(Session)})


def default_run(recipe: Recipe) -> str:
    """The same training always has the same name, so that it can be resumed."""
    data = recipe.data.rstrip("/").rpartition("/")[2].replace(":", "-")
    parts = (recipe.loss.replace(":", "-"), recipe.penalty, recipe.norm, data, f"s{recipe.seed}")
    return "-".join(part for part in parts if part)


def _number(text: str, kind: type[int] | type[float], least: float, *, above: bool = False) -> Any:
    bound = f"above {least:g}" if above else f"at least {least:g}"
    name = "a whole number" if kind is int else "a number"
    try:
        value = kind(text)
    except ValueError:
        value = kind(least) - 1
    if not (least < value if above else least <= value) or value == float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not {name} {bound}")
    return value


def _whole(text: str) -> int:
    return int(_number(text, int, 0))


def _positive(text: str) -> int:
    return int(_number(text, int, 1))


def _not_negative(text: str) -> float:
    return float(_number(text, float, 0))


def _above_zero(text: str) -> float:
    return float(_number(text, float, 0, above=True))


def _share(text: str) -> float:
    value = _not_negative(text)
    if value >= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not below 1")
    return value


def _steps(text: str) -> int | str:
    return text if text in ("auto", "epoch") else _positive(text)
