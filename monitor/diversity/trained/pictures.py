"""The pictures of a labelled gallery at one size, in a file, split for training and checking."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from monitor.diversity.gallery import Gallery, printable
from monitor.diversity.pictures import read_picture
from monitor.errors import ImageError, ReferenceError

#: One picture of so many of an identity is kept from training.
HELD_OUT_OF = 5
#: Pictures read between two words on progress.
TOLD_EVERY = 32


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of one size.

    Attributes:
        pixels: (n, 3, S, S) uint8 in a file, not in memory.
        identity: (n,) int64 in [0, m).
        labels: of the m identities.
        train, held_out: (…,) int64, rows to train with and to check with.
        left_out: why, by file.
    """

    pixels: NDArray[np.uint8]
    identity: NDArray[np.int64]
    labels: tuple[str, ...]
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    left_out: dict[str, str] = field(default_factory=dict)


def read_pictures(
    gallery: Gallery, side: int, path: Path, on_progress: Callable[[int], None]
) -> Pictures:
    """Every picture that can be read, as ``onnx:`` will resize what a run sends.

    Args:
        gallery: a labelled one.
        side: S in pixels.
        path: of the file for the pixels.
        on_progress: told how many are read.

    Raises:
        ReferenceError: fewer than two identities, or none with two pictures to check with.
    """
    modes = gallery.modes or ()
    pixels = np.memmap(path, np.uint8, "w+", shape=(len(gallery.files), 3, side, side))
    identity: list[int] = []
    left_out: dict[str, str] = {}
    for number, file in enumerate(gallery.files):
        try:
            pixels[len(identity)] = _sized(read_picture(gallery.root / file), side)
            identity.append(modes[number])
        except ImageError as error:
            left_out[printable(file)] = str(error)
        if number % TOLD_EVERY == 0:
            on_progress(number)
    on_progress(len(gallery.files))
    known, whose = np.unique(np.array(identity, np.int64), return_inverse=True)
    held_out = _held_out(whose)
    if len(known) < 2 or not len(held_out):
        raise ReferenceError(
            f"{gallery.root} has {len(known)} identities and {len(held_out)} pictures to check "
            "with; give at least two identities, and some with two pictures or more"
        )
    train = np.setdiff1d(np.arange(len(whose)), held_out)
    labels = tuple(gallery.labels[i] for i in known)
    return Pictures(pixels[: len(whose)], whose, labels, train, held_out, left_out)


def _sized(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    planes = torch.from_numpy(picture)[None].float()
    resized = interpolate(planes, (side, side), mode="bilinear", antialias=True)
    sized: NDArray[np.uint8] = resized[0].round().clamp(0, 255).to(torch.uint8).numpy()
    return sized


def _held_out(identity: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every fifth picture of an identity, and the last of those that have two to four."""
    rows: list[int] = []
    for one in range(int(identity.max(initial=-1)) + 1):
        own = np.flatnonzero(identity == one)
        last = [own[-1]] if 2 <= len(own) < HELD_OUT_OF else []
        rows += [*own[HELD_OUT_OF - 1 :: HELD_OUT_OF].tolist(), *last]
    return np.array(sorted(rows), np.int64)
