"""A way of logging: what every one of them looks like to the measurement."""

from collections.abc import Mapping
from pathlib import Path

import torch

from benchmarks.hooks.training import Training

#: Calls that the table of single calls asks for.
CALLS_ALONE = 1000

Values = Mapping[str, "torch.Tensor | float"]


class Variant:
    """Logs nothing; the others override what they need.

    Args:
        training: whose weights it may log.
        folder: an empty one of its own, for what it writes.

    Attributes:
        calls_alone: how often the table of single calls calls it; 0: it has no row there.
    """

    calls_alone = 0

    def __init__(self, training: Training, folder: Path) -> None:
        self.training, self.folder = training, folder

    def enter(self) -> None:
        """Get ready for a block; not timed."""

    def call(self, step: int, values: Values) -> None:
        """Log what belongs to this iteration; timed."""

    def leave(self) -> None:
        """Clean up after a block; not timed."""

    def finish(self) -> None:
        """Write what is left and stop."""

    def written_bytes(self) -> int:
        """Bytes on disk, or sent, so far; exact once finished."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def dropped(self) -> dict[str, int]:
        """What was lost, by reason."""
        return {}


def numbers(values: Values) -> dict[str, float]:
    """Plain numbers, as every logger but ours wants them; waits for the device."""
    return {name: float(value) for name, value in values.items()}
