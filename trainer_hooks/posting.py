"""Frames from the outbox to Redis, and how far the worker is behind with sample batches."""

import time
from collections.abc import Callable

from trainer_hooks.errors import BudgetUsedError, WireError
from trainer_hooks.link import BLOB_TTL_S, Link
from trainer_hooks.outbox import Outbox
from trainer_hooks.wire import Kind


class Posting:
    """Posts the frames of one run, the oldest of each kind first.

    Args:
        link: to Redis.
        outbox: where frames wait.
        say: logs a topic once.

    """

    def __init__(self, link: Link, outbox: Outbox, say: Callable[[str, str], None]) -> None:
        self._batches = self._batches_done = 0
        self._moved_s = 0.0
        self._link = link
        self._outbox = outbox
        self._say = say

    @property
    def samples_behind(self) -> bool:
        """Whether a sample batch is not evaluated yet; takes no lock.

        One of which a part was lost never is: what nothing came of while its frames live is not
        waited for.
        """
        waits = self._batches > self._batches_done
        return waits and time.monotonic() - self._moved_s < BLOB_TTL_S

    def heard(self, batches_done: int) -> None:
        """Take note of how many sample batches are evaluated, as Redis said last."""
        if batches_done != self._batches_done:
            self._batches_done, self._moved_s = batches_done, time.monotonic()

    def forget(self) -> None:
        """What a Redis has not seen, nobody will evaluate."""
        self._batches = self._batches_done = 0

    def advance(self, kind: Kind) -> bool:
        """Send the first frame of a kind; False if there is none or the worker is behind."""
        first = self._outbox.first(kind)
        if first is None:
            return False
        try:
            answer = self._link.post(first.frame, first.last_row, first.last_step)
        except BudgetUsedError as error:
            self._outbox.behind = self._outbox.behind or kind == "weights"
            self._say("busy", f"the worker is behind: {error}")
            return False
        except WireError as error:
            self._outbox.drop(first, "too_large")
            self._say("too_large", str(error))
            return True
        self._outbox.sent(first)
        self.heard(answer.batches_done)
        if kind == "weights":
            self._outbox.behind = False
        else:
            self._batches = max(self._batches, first.last_row + 1)
            self._moved_s = time.monotonic()
        return True
