"""A line now and then: how far, how fast, how long still."""

import time
from collections.abc import Mapping

from torch import Tensor

#: Seconds between lines.
EVERY_S = 10.0


class Progress:
    """Prints while a training runs."""

    def __init__(self, run: str, iterations: int, done: int) -> None:
        self._run, self._iterations, self._first = run, iterations, done
        self._began = self._printed = time.monotonic()

    def report(self, done: int, scalars: Mapping[str, Tensor | float]) -> None:
        """Say where the training is, if the last line is old or this is the end."""
        now = time.monotonic()
        if now - self._printed < EVERY_S and done < self._iterations:
            return
        self._printed = now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        left = (self._iterations - done) / rate / 60
        losses = ", ".join(f"{name} {float(scalars[name]):.3f}" for name in ("loss.G", "loss.D"))
        print(
            f"{self._run}: {done}/{self._iterations}, {losses}, {rate:.1f} iterations/s, "
            f"{left:.1f} minutes left",
            flush=True,
        )
