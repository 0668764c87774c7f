"""The background thread: takes from the queue, packs, sends, reconnects, flushes."""

import logging
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

from trainer_hooks.errors import LinkError, WireError
from trainer_hooks.link import Answer, BudgetUsedError, Link, RunDeletedError, RunLostError
from trainer_hooks.packer import SamplesPacker, WeightsPacker
from trainer_hooks.pushes import PushQueue
from trainer_hooks.settings import Settings
from trainer_hooks.wire import Frame

#: What waits is packed this often, seconds: live enough for eyes, few enough frames for Redis.
PACK_INTERVAL_S = 0.25
#: Heartbeat, seconds; a run without one for 20 s is shown as lost.
BEAT_INTERVAL_S = 3.0
#: Wait before the next connection attempt, seconds: first and longest.
RETRY_FIRST_S, RETRY_LONGEST_S = 0.5, 5.0
#: Share of the flush timeout for what waits; the rest is for saying that the run finished.
FLUSH_SHARE = 0.8
#: Rows and bytes of one weights frame.
FRAME_ROWS, FRAME_BYTES = 512, 16 * 2**20

log = logging.getLogger("trainer_hooks")


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A packed frame that must arrive, with the row it ends at."""

    frame: Frame
    last_row: int
    last_step: int


class Sender:
    """Owns the link to Redis; the training thread only touches its queue.

    Args:
        settings: of the run.
        queue: what waits to be sent.
    """

    def __init__(self, settings: Settings, queue: PushQueue) -> None:
        self._settings = settings
        self._queue = queue
        self._link = Link(settings, segment=uuid.uuid4().hex[:12])
        self._weights = WeightsPacker()
        self._samples = SamplesPacker()
        self._outgoing: list[_Outgoing] = []
        self._closing = threading.Event()
        self._give_up_s = float("inf")
        self._next_beat_s = 0.0
        self._retry_s = RETRY_FIRST_S
        self._warned: set[str] = set()
        self._deleted = False
        self.batches_done = 0
        self.alerts: tuple[dict[str, Any], ...] = ()
        self._thread = threading.Thread(target=self._work, name="sqd-sender", daemon=True)
        self._thread.start()

    @property
    def run(self) -> str:
        """Id of the run; may get a suffix when it registers."""
        return self._link.run

    def close(self, timeout_s: float) -> None:
        """Send what waits and say goodbye, for at most `timeout_s` seconds."""
        self._give_up_s = time.monotonic() + timeout_s * FLUSH_SHARE
        self._closing.set()
        self._queue.filled.set()
        self._thread.join(timeout_s)
        self._queue.clear("flush")
        if any(reason.startswith("flush") for reason in self._queue.dropped):
            self._warn("flush", f"gave up after {timeout_s:g} s; what waited is lost: "
                                f"{dict(self._queue.dropped)}")  # fmt: skip

    def _work(self) -> None:
        while not self._done():
            try:
                self._step()
            except RunDeletedError as error:
                self._deleted = True
                self._warn("deleted", f"{error}; nothing more is sent")
            except BudgetUsedError as error:
                self._warn("busy", f"the worker is behind: {error}")
                self._rest(PACK_INTERVAL_S)
            except RunLostError as error:
                self._warn("lost", f"{error}; registering again")
                self._link.close()
            except LinkError as error:
                self._link.close()
                self._warn("away", f"not connected, training goes on: {error}")
                if self._closing.is_set() and not self._link.registered:
                    return  # Never connected: waiting longer at exit would gain nothing.
                self._rest(self._retry_s)
                self._retry_s = min(self._retry_s * 2, RETRY_LONGEST_S)
            except Exception:
                # A defect of ours must cost one frame at most, never the thread or the trainer.
                log.exception("a frame could not be sent and is dropped")
                self._queue.count_dropped("defect")
                self._outgoing = self._outgoing[1:]

    def _done(self) -> bool:
        if not self._closing.is_set():
            return False
        if self._deleted:
            return True
        if time.monotonic() > self._give_up_s:
            self._queue.clear("flush")
            self._outgoing = []
        if not self._queue.empty() or self._outgoing:
            return False
        self._say_goodbye()
        return True

    def _say_goodbye(self) -> None:
        try:
            if self._link.connected:
                self._link.beat(self._drops(), self._weights.networks, finished=True)
        except LinkError as error:
            self._warn("goodbye", f"could not say that the run finished: {error}")

    def _step(self) -> None:
        if self._deleted:
            self._queue.clear("deleted")
            self._outgoing = []
            self._wait_for_work()
            return
        if not self._link.connected:
            self._link.connect(self._weights.rows)
            self._retry_s = RETRY_FIRST_S
            self._warned -= {"away", "busy"}
        if time.monotonic() >= self._next_beat_s:
            self._next_beat_s = time.monotonic() + BEAT_INTERVAL_S
            answer = self._link.beat(self._drops(), self._weights.networks)
            self._heard(answer)
            self.alerts = answer.alerts
        if not self._outgoing:
            self._pack()
        if self._outgoing:
            self._post(self._outgoing[0])
            self._outgoing.pop(0)
        else:
            self._wait_for_work()

    def _pack(self) -> None:
        pushes = self._queue.take_weights(FRAME_ROWS, FRAME_BYTES)
        while pushes:
            count = self._weights.fitting(pushes)
            frame = self._weights.pack(pushes[:count])
            last_step = pushes[count - 1].moment.step
            self._outgoing.append(_Outgoing(frame, self._weights.rows - 1, last_step))
            pushes = pushes[count:]
        samples = self._queue.take_samples()
        if samples is not None:
            for frame in self._samples.pack(samples):
                row = frame.header["seq"]
                self._outgoing.append(_Outgoing(frame, row, frame.header["step"]))

    def _post(self, outgoing: _Outgoing) -> None:
        try:
            self._heard(self._link.post(outgoing.frame, outgoing.last_row, outgoing.last_step))
        except WireError as error:
            self._queue.count_dropped("too_large")
            self._warn("too_large", str(error))

    def _heard(self, answer: Answer) -> None:
        self.batches_done = answer.batches_done

    def _wait_for_work(self) -> None:
        self._queue.filled.clear()
        if self._queue.empty() and not self._closing.is_set():
            self._queue.filled.wait(BEAT_INTERVAL_S)
        if not self._closing.is_set():
            self._closing.wait(PACK_INTERVAL_S)

    def _rest(self, seconds: float) -> None:
        if self._closing.is_set():
            # Leaving: try again soon, but do not spin.
            time.sleep(min(seconds, PACK_INTERVAL_S))
        else:
            self._closing.wait(seconds)

    def _drops(self) -> dict[str, int]:
        return dict(self._queue.dropped)

    def _warn(self, topic: str, message: str) -> None:
        if topic not in self._warned:
            self._warned.add(topic)
            log.warning("sqd: %s", message)
