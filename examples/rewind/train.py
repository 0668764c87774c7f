"""`python -m examples.rewind.train`: NSGAN collapses, its alert rewinds it, and it goes on cured.

Start `sqd up --embedder faces100 --reference faces100` beside it. Everything that is not the zoo's
is in `train`: a ring of checkpoints, a look at the alerts, and the way back.
"""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch

from examples.gan_zoo.progress import Progress
from examples.gan_zoo.recipe import PENALTIES, Recipe
from examples.gan_zoo.training import Training
from trainer_hooks import Run, start

#: Alerts after which going on as before is a waste: a `quality` or `diversity` alone may pass.
TURNS = ("turning_point", "mode_collapse")


class Session:
    """A training that changes its recipe when it is put back.

    Args:
        recipe: to begin with.
        cured: the recipe after a rewind.
        device: as torch names it.
    """

    def __init__(self, recipe: Recipe, cured: Recipe, device: str) -> None:
        self.training = Training(recipe, device)
        self._cured = cured
        self._device = device

    @property
    def rewound(self) -> bool:
        """Whether it goes on cured."""
        return self.training.recipe is self._cured

    def save(self, path: Path) -> None:
        """Networks, optimizers, random generators: all that the zoo needs to go on."""
        torch.save(self.training.state(), path)

    def load(self, path: Path) -> None:
        """Go on from there, with the cure.

        The optimizers begin anew: Adam divides by the size of past gradients, and S showed steps a
        hundred times too small after those of the loss without its penalty.
        """
        self.training = Training(self._cured, self._device)
        fresh = self.training.state()
        saved = torch.load(path, map_location="cpu", weights_only=True)
        self.training.restore({**saved, "optG": fresh["optG"], "optD": fresh["optD"]})


def train(session: Session, run: Run, iterations: int, every: int, keep: int) -> None:
    """Train until the iterations are done, or somebody asks to stop."""
    ring = run.checkpoints(every=every, keep=keep, save=session.save, load=session.load)
    progress = Progress(run.id, iterations, 0)
    while session.training.step < iterations and not run.should_stop():
        training = session.training
        step, epoch = (
            training.step,
            training.step / training.data.epoch_steps(training.recipe.batch),
        )
        scalars = training.iterate()
        run.push_weights(step, G=training.netG, D=training.netD, epoch=epoch, scalars=scalars)
        run.push_samples(step, training.sample, epoch=epoch)
        ring.save_if_due(step)
        progress.report(training.step, scalars)
        for alert in run.alerts():
            print(f"{run.id}: {alert['kind']}: {alert['message']}", flush=True)
            if alert["kind"] in TURNS and not session.rewound and (back := run.rewind(alert)):
                print(f"{run.id}: back at step {back.step}, on with the cure", flush=True)
                break


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(prog="python -m examples.rewind.train", allow_abbrev=False)
    add = parser.add_argument
    add("--loss", default="nsgan", help="of the zoo (%(default)s)")
    add("--data", default="faces", help="of the zoo (%(default)s)")
    add("--learning-rate", type=float, default=8e-4, help="too high, to collapse (%(default)s)")
    add("--batch", type=int, default=64, metavar="N", help="of a step (%(default)s)")
    add(
        "--cure",
        choices=PENALTIES,
        default="gp",
        metavar="NAME",
        help="penalty after a rewind (%(default)s)",
    )
    add(
        "--cure-weight",
        type=float,
        default=0.1,
        metavar="LAMBDA",
        help="its λ: at the usual 10 a steep discriminator forgets all it knew (%(default)s)",
    )
    add("--cure-learning-rate", type=float, default=2e-4, help="after a rewind (%(default)s)")
    add("--iterations", type=int, default=14_000, metavar="N", help="(%(default)s)")
    add("--every", type=int, default=200, metavar="N", help="between checkpoints (%(default)s)")
    add("--keep", type=int, default=10, metavar="N", help="checkpoints (%(default)s)")
    add("--samples", type=int, default=500, metavar="N", help="of a batch (%(default)s)")
    add("--samples-every", type=int, default=200, metavar="N", help="(%(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="(%(default)s)")
    add("--run", default="rewind", metavar="NAME", help="(%(default)s)")
    add("--device", default="cpu", help="(%(default)s)")
    given = parser.parse_args(argv)
    recipe = Recipe(
        loss=given.loss,
        data=given.data,
        learning_rate=given.learning_rate,
        batch=given.batch,
        seed=given.seed,
    )
    torch.set_num_threads(1)
    cured = replace(
        recipe,
        penalty=given.cure,
        penalty_weight=given.cure_weight,
        learning_rate=given.cure_learning_rate,
    )
    session = Session(recipe, cured, given.device)
    run = start(
        given.run,
        samples=given.samples,
        samples_every=given.samples_every,
        config=asdict(recipe),
        tags=["rewind"],
    )
    with run:
        train(session, run, given.iterations, given.every, given.keep)
    print(f"{run.id}: {session.training.step} iterations done", file=sys.stderr)


if __name__ == "__main__":
    main()
