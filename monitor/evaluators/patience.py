"""How long foreign code may take: a call that never returns would hold up its lane for ever."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Patience:
    """Times the calls of foreign code. It cannot end one: whoever looks from another thread can
    give up what it was for, and end the process.

    Args:
        limit_s: longest time of a call, seconds.
        clock: seconds that only go forward.
    """

    def __init__(
        self, limit_s: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._call: tuple[str, float] | None = None

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """Time what is done inside; `name` is the evaluator's."""
        self._call = name, self._clock() + self._limit_s
        try:
            yield
        finally:
            self._call = None

    def lost(self) -> str:
        """Why nothing more can be hoped of the call that goes on, "" if there is hope or no call;
        from any thread."""
        call = self._call
        if call is None or self._clock() < call[1]:
            return ""
        return f"{call[0]} gave no answer in {self._limit_s:g} s (--evaluator-timeout-s)"
