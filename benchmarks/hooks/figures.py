"""From measured seconds to the rows of the tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hooks.blocks import Block

#: Draws of the bootstrap; the interval's ends move by less than they are worth beyond it.
DRAWS = 5000
#: The interval's ends, quantiles.
INTERVAL = (0.025, 0.975)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Bootstrap 95% interval of the median (percentile method; blocks are the units drawn)."""
    sample = np.asarray(values)
    drawn = np.random.default_rng(0).choice(sample, (DRAWS, len(sample)))
    low, high = np.quantile(np.median(drawn, axis=1), INTERVAL)
    return float(low), float(high)


def quantiles_us(seconds: Sequence[float]) -> dict[str, float]:
    """Median, p99 and maximum in microseconds."""
    microseconds: NDArray[np.float64] = np.asarray(seconds) * 1e6
    p50, p99, most = np.quantile(microseconds, (0.5, 0.99, 1.0)).tolist()
    return {"p50_us": p50, "p99_us": p99, "max_us": most}


def in_training(name: str, blocks: Sequence[Block]) -> dict[str, Any]:
    """The row of one way: iteration time, ratio, and what its calls took.

    Returns:
        Iteration time in ms (median of the blocks), ratio with its interval, the calls' share of
        the iterations' time, and their quantiles.
    """
    ratios = [block.ratio for block in blocks]
    calls_s = [seconds for block in blocks for seconds in block.calls_s]
    iterations_s = sum(block.iteration_s * len(block.calls_s) for block in blocks)
    return {
        "name": name,
        "blocks": len(blocks),
        "iteration_ms": float(np.median([block.iteration_s for block in blocks])) * 1e3,
        "ratio": float(np.median(ratios)),
        "ratio_95": interval(ratios),
        "ratios": ratios,
        "call_share": sum(calls_s) / iterations_s,
        "call": quantiles_us(calls_s),
    }
