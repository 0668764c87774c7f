"""Every way of logging that is measured, by the name of its row."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.hooks import peers
from benchmarks.hooks.product import Elsewhere, Pushing
from benchmarks.hooks.training import Training
from benchmarks.hooks.variant import Variant

#: Logs nothing; the blocks that all others are compared with.
NOTHING = "nothing"
#: Logs nothing either, but is drawn like all others: how far from 1 chance alone takes a ratio.
CONTROL = "nothing (control)"
#: The rate control's bound that turns it off: every call takes its snapshot.
UNCONTROLLED = 1.0

Maker = Callable[[Training, Path], Variant]


def ways(worker: Elsewhere) -> dict[str, Maker]:
    """Name → what makes it, given the training and a folder of its own."""

    def ours(name: str, weights: str | None, max_overhead: float | None = None) -> Maker:
        return partial(
            Pushing, worker=worker, name=name, weights=weights, max_overhead=max_overhead
        )

    return {
        CONTROL: Variant,
        "sqd scalars": ours("scalars", None),
        "sqd sketch, every iteration": ours("sketch", "sketch", UNCONTROLLED),
        "sqd full, every iteration": ours("full-every", "full", UNCONTROLLED),
        "sqd full, default rate control": ours("full", "full"),
        "TensorBoard add_scalar": peers.TensorBoardScalars,
        "TensorBoard add_histogram": peers.TensorBoardHistograms,
        "wandb offline log": peers.WandbLog,
        "wandb offline watch": peers.WandbWatch,
        "trackio log": peers.TrackioLog,
        "MLflow log_metrics (sqlite)": partial(
            peers.MlflowLog, store="sqlite:///{folder}/mlflow.db"
        ),
        "MLflow log_metrics (files)": partial(peers.MlflowLog, store="file://{folder}/mlruns"),
    }


def chosen(names: list[str], only: list[str]) -> list[str]:
    """Those whose name begins with one of `only`, without regard to case; all if it is empty."""
    starts = tuple(start.casefold() for start in only)
    return [name for name in names if not starts or name.casefold().startswith(starts)]


def make(maker: Maker, training: Training, folder: Path) -> Variant | None:
    """The variant, or None where its package is not installed."""
    folder.mkdir(parents=True)
    try:
        return maker(training, folder)
    except ModuleNotFoundError:
        return None
