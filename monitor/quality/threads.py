"""Threads with a core each, in place of all cores on each operation."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import torch


def own_cores(count: int) -> ThreadPoolExecutor:
    """Threads that each run torch's operations on one core.

    torch shares out every operation and waits for the slowest part of it, thousands of times a
    batch: any other process on those cores makes all of them wait. Threads that meet once a batch
    do not.

    Args:
        count: of threads; also of those that torch uses for an operation in this thread, before and
            after.
    """
    pool = ThreadPoolExecutor(count, "sqd-quality", initializer=_one_core)
    all_started = Barrier(count)
    list(pool.map(lambda _: all_started.wait(), range(count)))
    # A thread keeps its own number, but new threads and MKL go by what was set last.
    torch.set_num_threads(count)
    return pool


def _one_core() -> None:
    # Asked first: a thread that never asked takes the number set last at its first operation.
    torch.get_num_threads()
    torch.set_num_threads(1)
