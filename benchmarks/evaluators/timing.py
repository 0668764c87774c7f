"""Ways of doing one thing, timed in turn: what the machine does beside them meets all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

Row = dict[str, Any]
Ways = Mapping[str, Callable[[], object]]


def compare(ways: Ways, rounds: int, device: str, *, warm: bool = True) -> list[Row]:
    """Time every way once a round, in random order.

    Args:
        ways: what to do; the first is what others are divided by.
        rounds: after one that warms up.
        device: waited for before and after, if it is a GPU.
        warm: False for what takes minutes, so that a warm start changes nothing.

    Returns:
        A row a way: name, seconds (median), all_seconds, and the median over rounds of its time
        by that of the first way in the same round.
    """
    names = list(ways)
    generator = np.random.default_rng(0)
    if warm:
        for way in ways.values():
            way()
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for i in generator.permutation(len(names)):
            taken[names[i]].append(seconds(ways[names[i]], device))
    first = taken[names[0]]
    return [_row(name, taken[name], first) for name in names]


def seconds(way: Callable[[], object], device: str) -> float:
    """Seconds of one call, the device's work included."""
    _wait(device)
    begun = time.perf_counter()
    way()
    _wait(device)
    return time.perf_counter() - begun


def _row(name: str, taken: list[float], first: list[float]) -> Row:
    ratios = [own / other for own, other in zip(taken, first, strict=True)]
    return {
        "name": name,
        "seconds": statistics.median(taken),
        "all_seconds": taken,
        "ratio": statistics.median(ratios),
    }


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)
