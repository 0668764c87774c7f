"""The packer's thread: brings pushes to the host, packs them, and spills what cannot be sent.

A thread beside the sender's, which may hang in a socket for seconds: what was pushed must be on its
way or on disk within one.
"""

import logging
import threading
import time

from trainer_hooks.lines import PACK_INTERVAL_S, SamplesLine, WeightsLine
from trainer_hooks.outbox import Outbox
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.sayings import Sayings

log = logging.getLogger("trainer_hooks")


class Packing:
    """Packs the pushes of one run until closed.

    Args:
        queue: where pushes wait.
        outbox: where frames go.
    """

    def __init__(self, queue: PushQueue, outbox: Outbox) -> None:
        self.weights = WeightsLine(queue, outbox)
        self.samples = SamplesLine(queue, outbox)
        self.done = threading.Event()
        self._queue = queue
        self._outbox = outbox
        self._closing = threading.Event()
        self._give_up_s = float("inf")
        self._sayings = Sayings()
        self._thread = threading.Thread(target=self._work, name="sqd-packer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, give_up_s: float) -> None:
        """Pack what waits and end; what was not sent by `give_up_s` (monotonic) goes to disk."""
        self._give_up_s = give_up_s
        self._closing.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self.done.is_set():
            began_s = time.thread_time()
            try:
                self._step()
            except Exception:
                # A defect of ours must cost a frame at most, never the thread or the trainer.
                if self._sayings.first("defect"):
                    log.exception("sqd: pushes could not be packed and are dropped")
                time.sleep(PACK_INTERVAL_S)
            self._queue.spend(time.thread_time() - began_s)

    def _step(self) -> None:
        closing = self._closing.is_set()
        self._queue.settle()
        self.weights.pack(now=closing)
        self.samples.pack()
        self._outbox.spill(now=closing and time.monotonic() > self._give_up_s)
        if closing and self._queue.empty() and not self._outbox.waits("weights"):
            self._finish()
        else:
            self._wait()

    def _finish(self) -> None:
        self.weights.close()
        # The sender may still need what is in memory; at the deadline it goes to disk.
        while not self._outbox.room.wait(PACK_INTERVAL_S):
            late = time.monotonic() > self._give_up_s
            self._outbox.spill(now=late)
            if late:
                break
        self.done.set()

    def _wait(self) -> None:
        """Until there may be something to do."""
        if not self._outbox.room.is_set():
            self._outbox.room.wait(PACK_INTERVAL_S)
        elif not self._queue.holds_samples():
            self._closing.wait(self.weights.wait_s or PACK_INTERVAL_S)
