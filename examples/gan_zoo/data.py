"""What the GANs learn: a name to a source of random batches with labels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from examples.gan_zoo.folder import ImageFolder
from examples.gan_zoo.mixture import GRID, SLIDES, Mixture
from examples.gan_zoo.shapes import MODES, draw_shapes
from monitor.demo.faces import FACES, load_faces

#: n to n samples (n, C, H, W) in [−1, 1] or (n, 2), float32, and their labels (n,) int64.
Draw = Callable[[int], tuple[Tensor, Tensor]]
#: Batches of what is called an epoch where the data are few or endless (as in the demo).
EPOCH_STEPS = 100


@dataclass(frozen=True, slots=True)
class Data:
    """A source of random batches, drawn with torch's global generator.

    Attributes:
        shape: of one sample, (C, H, W) or (2,).
        classes: number of labels.
        size: number of samples that there are; None if that is no useful notion of an epoch.
        draw: makes a batch.
    """

    shape: tuple[int, ...]
    classes: int
    size: int | None
    draw: Draw

    def epoch_steps(self, batch: int) -> float:
        """Batches an epoch."""
        return EPOCH_STEPS if self.size is None else max(1.0, self.size / batch)


def load(name: str, side: int) -> Data:
    """The data called `name`.

    Args:
        name: ``faces``, ``mixture`` (a grid of 25), ``mixture:slides``, ``shapes`` or
            ``folder:PATH``.
        side: of the images, pixels.
    Raises:
        ValueError: no such data; the message says what there is.
    """
    if name.startswith("folder:"):
        path = Path(name.removeprefix("folder:"))
        if not path.is_dir() or name == "folder:":
            raise ValueError(f"there is no folder {name.removeprefix('folder:')!r}")
        folder = ImageFolder(path, side)
        return Data((3, side, side), folder.classes, len(folder), folder.draw)
    if name == "faces":
        return Data((1, side, side), FACES, None, _draw_faces(load_faces(side)))
    if name == "shapes":
        return Data((3, side, side), len(MODES), None, lambda n: draw_shapes(n, side))
    mixtures = {"mixture": GRID, "mixture:slides": SLIDES}
    if name in mixtures:
        return _of_mixture(mixtures[name])
    raise ValueError(
        f"no data are called {name!r}; there are faces, mixture, mixture:slides, shapes and "
        "folder:PATH"
    )


def _of_mixture(mixture: Mixture) -> Data:
    return Data((2,), len(mixture.means), None, mixture.draw)


def _draw_faces(faces: Tensor) -> Draw:
    """Random faces, half of the batches mirrored (as in the demo); the label is the face."""

    def draw(n: int) -> tuple[Tensor, Tensor]:
        labels = torch.randint(len(faces), (n,))
        chosen = faces[labels]
        return (chosen.flip(3) if torch.rand(()) < 0.5 else chosen), labels

    return draw
