"""The same training in short blocks, each with another way of logging, in random order.

Drifts of the machine (clock, neighbours, temperature) hit all ways alike, and each block is
compared with the blocks of "nothing" before and after it.
"""

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.hooks.catalogue import NOTHING
from benchmarks.hooks.training import Training
from benchmarks.hooks.variant import Variant

#: Blocks from one block of "nothing" to the next.
BETWEEN = 3
#: Wait after a block, seconds, in which its loggers finish what they do in the background.
SETTLE_S = 0.3


@dataclass(slots=True)
class Block:
    """Some iterations with one way of logging.

    Attributes:
        name: of the way.
        iteration_s: seconds of one iteration, the mean of the block.
        calls_s: seconds of each call in the training thread.
        beside_s: mean of `iteration_s` of the nearest blocks of "nothing".
    """

    name: str
    iteration_s: float
    calls_s: list[float]
    beside_s: float = field(default=0.0)

    @property
    def ratio(self) -> float:
        """Time of an iteration over its time without logging."""
        return self.iteration_s / self.beside_s


def interleave(
    training: Training, variants: dict[str, Variant], rounds: int, iterations: int
) -> list[Block]:
    """Run `rounds` blocks of every variant, `iterations` each, and blocks of "nothing" between."""
    everyone = {**variants, NOTHING: Variant(training, Path())}
    order = _order(list(variants), rounds)
    for name in (NOTHING, *variants):  # the first calls allocate, compile and connect
        _run(training, name, everyone[name], iterations)
    blocks = [_run(training, name, everyone[name], iterations) for name in order]
    _compare(blocks)
    return blocks


def _order(names: list[str], rounds: int) -> list[str]:
    shuffle = random.Random(0)
    order = [NOTHING]
    for _ in range(rounds):
        drawn = shuffle.sample(names, len(names))
        for first in range(0, len(drawn), BETWEEN):
            order += [*drawn[first : first + BETWEEN], NOTHING]
    return order


def _run(training: Training, name: str, variant: Variant, iterations: int) -> Block:
    variant.enter()
    # Not timed: a block begins with the caches and the background work that its own way leaves.
    variant.call(training.step, training.iterate())
    training.wait()
    calls_s = []
    begun_s = time.perf_counter()
    for _ in range(iterations):
        losses = training.iterate()
        called_s = time.perf_counter()
        variant.call(training.step, losses)
        calls_s.append(time.perf_counter() - called_s)
    training.wait()
    ended_s = time.perf_counter()
    variant.leave()
    time.sleep(SETTLE_S)
    return Block(name, (ended_s - begun_s) / iterations, calls_s)


def _compare(blocks: list[Block]) -> None:
    """Fill in `beside_s`; the first and the last block are of "nothing"."""
    places = [place for place, block in enumerate(blocks) if block.name == NOTHING]
    for place, block in enumerate(blocks):
        before = max((p for p in places if p < place), default=place)
        after = min((p for p in places if p > place), default=place)
        block.beside_s = (blocks[before].iteration_s + blocks[after].iteration_s) / 2
