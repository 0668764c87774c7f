"""A training on disk, to go on with later."""

import os
from dataclasses import asdict
from pathlib import Path

import torch

from examples.gan_zoo.training import Training

NAME = "checkpoint.pt"


def save(training: Training, run: str, folder: Path) -> None:
    """Write the checkpoint of `training`, whose run is `run`; a crash leaves the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {**training.state(), "run": run, "recipe": asdict(training.recipe)}
    unfinished = folder / f"{NAME}.{os.getpid()}"
    torch.save(state, unfinished)
    unfinished.replace(folder / NAME)


def resume(training: Training, folder: Path) -> str | None:
    """Go on from the checkpoint in `folder`, if there is one.

    Returns:
        The run's id; None if there is no checkpoint.
    Raises:
        ValueError: the checkpoint is of another recipe.
    """
    path = folder / NAME
    if not path.exists():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    recipe = asdict(training.recipe)
    made = state["recipe"]
    for name in recipe | made:
        if recipe.get(name) != made.get(name):
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"the checkpoint in {str(folder)!r} was made with {option} {made.get(name)}, "
                f"not {recipe.get(name)}: take another folder"
            )
    training.restore(state)
    return str(state["run"])
