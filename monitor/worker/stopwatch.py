"""How long evaluation takes, part by part; told with the heartbeat."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from monitor.errors import StoreError
from monitor.store import counters
from monitor.store.connection import Store
from monitor.store.counters import Part

Timing = Callable[[Part], contextlib.AbstractContextManager[None]]


class Stopwatch:
    """Measures in the thread that evaluates; another one tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: Counter[str] = Counter()

    @contextlib.contextmanager
    def timing(self, part: Part) -> Iterator[None]:
        """Measure what is done within; a failure takes its time too."""
        started_s = time.perf_counter()
        try:
            yield
        finally:
            took_s = np.array([time.perf_counter() - started_s])
            self._add(counters.EVALUATION.counted(part, took_s))

    def tell(self, store: Store) -> None:
        """Add what was measured since the last time to the counters.

        Raises:
            StoreError: Redis is away; it is told the next time.
        """
        with self._lock:
            told, self._counted = self._counted, Counter()
        try:
            if told:
                counters.count(store, told)
        except StoreError:
            self._add(told)
            raise

    def _add(self, counted: Mapping[str, int]) -> None:
        with self._lock:
            self._counted.update(counted)


def untimed(part: Part) -> contextlib.AbstractContextManager[None]:
    """For whoever does not ask how long it takes."""
    return contextlib.nullcontext()
