"""One call after the other, with nothing between them: what a call costs at its best."""

import time
from pathlib import Path
from typing import Any

from benchmarks.hooks.catalogue import Maker, make
from benchmarks.hooks.figures import quantiles_us
from benchmarks.hooks.training import Training

#: Five scalars, the same for everyone.
SCALARS = {"loss.G": 0.7, "loss.D": 1.2, "grad.G": 3.5, "grad.D": 0.4, "lr": 2e-4}
#: Calls that are not counted.
WARMUP_CALLS = 5
#: A logger slower than this is called less often, seconds.
LONGEST_S = 20.0


def alone(
    name: str, maker: Maker, training: Training, folder: Path, most_calls: int
) -> dict[str, Any] | None:
    """The row of one way, or None if it has none."""
    variant = make(maker, training, folder)
    if variant is None:
        return {"name": name, "missing": "not installed"}
    calls = min(variant.calls_alone, most_calls)
    seconds: list[float] = []
    give_up_s = time.perf_counter() + LONGEST_S
    for call in range(WARMUP_CALLS + calls if calls else 0):
        training.step += 1
        begun_s = time.perf_counter()
        variant.call(training.step, SCALARS)
        ended_s = time.perf_counter()
        if call >= WARMUP_CALLS:
            seconds.append(ended_s - begun_s)
        if ended_s > give_up_s:
            break
    variant.leave()
    variant.finish()
    return {"name": name, "calls": len(seconds), "call": quantiles_us(seconds)} if seconds else None
