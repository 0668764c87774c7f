"""The background thread: takes from the queue, packs, sends, reconnects, flushes."""

import logging
import threading
import time
import uuid
from typing import Any

from trainer_hooks.errors import (
    BudgetUsedError,
    LinkError,
    RunDeletedError,
    RunLostError,
    WireError,
)
from trainer_hooks.link import Link
from trainer_hooks.outgoing import PACK_INTERVAL_S, SamplesLine, WeightsLine
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.settings import Settings

#: Heartbeat, seconds; a run without one for 20 s is shown as lost.
BEAT_INTERVAL_S = 3.0
#: Wait before the next connection attempt, seconds: first and longest.
RETRY_FIRST_S, RETRY_LONGEST_S = 0.5, 5.0
#: Share of the flush timeout for what waits; the rest is for saying that the run finished.
FLUSH_SHARE = 0.8

log = logging.getLogger("trainer_hooks")


class Sender:
    """Owns the link to Redis; the training thread only touches its queue.

    Args:
        settings: of the run.
        queue: what waits to be sent.

    Attributes:
        alerts: of the run, as of the last heartbeat.
    """

    def __init__(self, settings: Settings, queue: PushQueue) -> None:
        self._queue = queue
        self._link = Link(settings, segment=uuid.uuid4().hex[:12])
        self._weights = WeightsLine(queue)
        self._samples = SamplesLine(queue)
        self._closing = threading.Event()
        self._give_up_s = float("inf")
        self._next_beat_s = 0.0
        self._retry_s = RETRY_FIRST_S
        self._said: set[str] = set()
        self._deleted = False
        self._batches_done = 0
        self.alerts: tuple[dict[str, Any], ...] = ()
        self._thread = threading.Thread(target=self._work, name="sqd-sender", daemon=True)
        self._thread.start()

    @property
    def run(self) -> str:
        """Id of the run; may get a suffix when it registers."""
        return self._link.run

    @property
    def samples_behind(self) -> bool:
        """Whether a sample batch is being sent or not evaluated yet."""
        line = self._samples
        return line.packing or bool(line.frames) or line.batches > self._batches_done

    def close(self, timeout_s: float) -> None:
        """Send what waits and say goodbye, for at most `timeout_s` seconds."""
        self._give_up_s = time.monotonic() + timeout_s * FLUSH_SHARE
        self._closing.set()
        self._queue.wake()
        self._thread.join(timeout_s)
        self._queue.clear("flush")
        lost = {k: n for k, n in self._queue.dropped().items() if k.startswith("flush")}
        if self._thread.is_alive():
            # It hangs in a call to Redis, which will not end before the process does.
            for line in (self._weights, self._samples):
                unsent = sum(outgoing.amount for outgoing in line.frames.copy())
                lost[f"unsent {line.kind}"] = unsent
        if any(lost.values()):
            self._say("flush", f"gave up after {timeout_s:g} s; what waited is lost: {lost}")

    def _work(self) -> None:
        while True:
            try:
                if self._done():
                    break
                self._queue.settle()
                self._step()
            except RunDeletedError as error:
                self._deleted = True
                self._link.close()
                self._say("deleted", f"{error}; nothing more is sent")
            except RunLostError as error:
                self._say("lost", f"{error}; registering again")
                self._link.close()
            except LinkError as error:
                self._link.close()
                self._say("away", f"not connected, training goes on: {error}")
                if self._closing.is_set() and not self._link.registered:
                    break  # Never connected: waiting longer at exit would gain nothing.
                self._rest(self._retry_s)
                self._retry_s = min(self._retry_s * 2, RETRY_LONGEST_S)
            except Exception:
                # A defect of ours must cost a frame at most, never the thread or the trainer.
                if "defect" not in self._said:
                    log.exception("sqd: a frame could not be sent and is dropped")
                self._said.add("defect")
                self._drop_frames("defect")
                self._rest(RETRY_FIRST_S)
        self._drop_frames("flush")
        self._link.close()

    def _done(self) -> bool:
        if not self._closing.is_set():
            return False
        if self._deleted:
            self._drop_all("deleted")
            return True
        if time.monotonic() > self._give_up_s:
            return True
        if not self._queue.empty() or self._weights.frames or self._samples.frames:
            return False
        self._weights.close()
        if self._weights.frames:
            return False
        if not self._link.connected:
            return not self._link.registered
        self._link.beat(self._queue.dropped(), self._weights.packer.networks, finished=True)
        return True

    def _step(self) -> None:
        if not self._queue.begun:
            self._queue.wait(BEAT_INTERVAL_S)
            return
        if self._deleted:
            self._drop_all("deleted")
            self._wait_for_work()
            return
        if not self._link.connected:
            if self._link.connect(self._weights.first_row):
                # What this Redis has not seen, nobody will evaluate.
                self._samples.batches = self._batches_done = 0
            self._retry_s = RETRY_FIRST_S
            self._said -= {"away", "busy", "lost"}
        if time.monotonic() >= self._next_beat_s:
            self._next_beat_s = time.monotonic() + BEAT_INTERVAL_S
            answer = self._link.beat(self._queue.dropped(), self._weights.packer.networks)
            self._batches_done, self.alerts = answer.batches_done, answer.alerts
        self._weights.pack(now=self._closing.is_set())
        self._samples.pack()
        # Not `or`: each lane goes on when the other must wait.
        if not self._advance(self._weights) | self._advance(self._samples):
            self._wait_for_work()

    def _advance(self, line: WeightsLine | SamplesLine) -> bool:
        """Send the line's first frame; False if there is none or the worker is too far behind."""
        if not line.frames:
            return False
        first = line.frames[0]
        try:
            answer = self._link.post(first.frame, first.last_row, first.last_step)
        except BudgetUsedError as error:
            self._say("busy", f"the worker is behind: {error}")
            return False
        except WireError as error:
            line.drop("too_large")
            self._say("too_large", str(error))
            return True
        self._batches_done = answer.batches_done
        line.sent()
        return True

    def _wait_for_work(self) -> None:
        """Until something waits, and then until a frame of it is worth sending."""
        idle = self._queue.empty() and not self._weights.frames and not self._samples.frames
        if idle and not self._closing.is_set():
            self._queue.wait(BEAT_INTERVAL_S)
        self._rest(self._weights.wait_s or PACK_INTERVAL_S)

    def _rest(self, seconds: float) -> None:
        if self._closing.is_set():
            # Leaving: try again soon, but do not spin.
            time.sleep(min(seconds, PACK_INTERVAL_S))
        else:
            self._closing.wait(seconds)

    def _drop_all(self, reason: str) -> None:
        self._queue.clear(reason)
        self._drop_frames(reason)

    def _drop_frames(self, reason: str) -> None:
        for line in (self._weights, self._samples):
            while line.frames:
                line.drop(reason)

    def _say(self, topic: str, message: str) -> None:
        if topic not in self._said:
            self._said.add(topic)
            log.warning("sqd: %s", message)
