"""The sender's thread: takes frames from the outbox, sends, reconnects, flushes."""

import contextlib
import logging
import threading
import time
import uuid
from typing import Any

from trainer_hooks.control import Control
from trainer_hooks.errors import LinkError, OwnerAwayError, RunDeletedError, RunLostError
from trainer_hooks.joining import free_name
from trainer_hooks.lines import PACK_INTERVAL_S
from trainer_hooks.link import Link
from trainer_hooks.outbox import KINDS, Outbox
from trainer_hooks.packing import Packing
from trainer_hooks.posting import Posting
from trainer_hooks.push_queue import PushQueue
from trainer_hooks.sayings import Sayings
from trainer_hooks.settings import Settings
from trainer_hooks.shards import Shard
from trainer_hooks.spool import Spool, folder_of

#: Heartbeat, seconds; a run without one for 20 s is shown as lost.
BEAT_INTERVAL_S = 3.0
#: Wait before the next connection attempt, seconds: first and longest.
RETRY_FIRST_S, RETRY_LONGEST_S = 0.5, 5.0
#: Share of the flush timeout for what waits; the rest is for bringing it to disk.
FLUSH_SHARE = 0.8

log = logging.getLogger("trainer_hooks")


class Sender:
    """Owns the way to Redis; the training thread only touches its queue.

    Args:
        settings: of the run.
        queue: what waits to be sent.
        announced: whether somebody waits for the name of the run.

    Attributes:
        control: what came back with the heartbeats, and what goes with them.
    """

    def __init__(self, settings: Settings, queue: PushQueue, *, announced: bool = False) -> None:
        self.control = Control(resumed=settings.resume)
        self._settings = settings
        self._offline = settings.mode == "offline"
        self._crash, self._told = "", False
        self._queue = queue
        self._link = Link(settings, segment=uuid.uuid4().hex[:12])
        self._spool = self._open_spool(settings)
        self._outbox = Outbox(queue, self._spool)
        self._outbox.away = self._offline
        self._packing = Packing(queue, self._outbox)
        self._closing = threading.Event()
        self._named = threading.Event()
        if not announced:
            self._named.set()
        self._give_up_s = float("inf")
        self._next_beat_s = 0.0
        self._retry_s = RETRY_FIRST_S
        self._sayings = Sayings()
        self._posting = Posting(self._link, self._outbox, self._say)
        self._deleted = self._tried = False
        self._packing.start()
        self._thread = threading.Thread(target=self._work, name="sqd-sender", daemon=True)
        if not self._offline:
            self._thread.start()

    @property
    def run(self) -> str:
        """Id of the run; may get a suffix when it registers."""
        return self._link.run

    @property
    def samples_behind(self) -> bool:
        """Whether a sample batch is being sent or not evaluated yet; takes no lock."""
        waits = self._packing.samples.packing or self._outbox.holds_samples
        return waits or self._posting.samples_behind

    def wait_for_name(self, timeout_s: float) -> None:
        """Until `run` is that of Redis or Redis was asked in vain, at most `timeout_s` seconds."""
        if not self._offline:
            self._named.wait(timeout_s)

    def join(self, shard: Shard | None) -> None:
        """Say what this process is to its training, before it begins."""
        self._link.shard = shard

    def close(self, timeout_s: float, crash: str = "") -> None:
        """Send what waits and how it ends (`crash`), within `timeout_s`; the rest goes to disk."""
        self._crash = crash
        end_s = time.monotonic() + timeout_s
        self._give_up_s = end_s - (1 - FLUSH_SHARE) * timeout_s
        self._packing.close(self._give_up_s)
        self._closing.set()
        self._outbox.bell.set()
        if not self._offline:
            self._thread.join(timeout_s)
        self._packing.join(max(0.0, end_s - time.monotonic()))
        self._tell_what_is_left(timeout_s)

    def _open_spool(self, settings: Settings) -> Spool | None:
        if settings.spool_bytes == 0:
            return None
        folder = folder_of(settings.home, settings.run, self._link.segment)
        return Spool(folder, settings.spool_bytes, self._queue.count_dropped, self._about)

    def _about(self) -> dict[str, Any]:
        """What `sqd sync` must know of this run."""
        return {
            **self._link.about(),
            "networks": self._packing.weights.packer.networks,
            "drops": self._queue.dropped(),
            "finished": self._closing.is_set(),
            "crash": self._crash,
            "ring": self.control.ring,
        }

    def _work(self) -> None:
        while True:
            began_s = time.thread_time()
            try:
                if self._done():
                    break
                self._step()
            except RunDeletedError as error:
                self._deleted = True
                self._hang_up()
                self._say("deleted", f"{error}; nothing more is sent")
            except RunLostError as error:
                self._say("lost", f"{error}; registering again")
                self._hang_up()
            except LinkError as error:
                self._hang_up()
                waits = isinstance(error, OwnerAwayError)
                if not waits or self._retry_s == RETRY_LONGEST_S:
                    self._say("away", f"not connected, training goes on: {error}")
                if self._closing.is_set() and not self._link.registered and not waits:
                    break  # Never connected: waiting longer at exit would gain nothing.
                self._rest(self._retry_s)
                self._retry_s = min(self._retry_s * 2, RETRY_LONGEST_S)
            except Exception:
                # A defect of ours must cost a frame at most, never the thread or the trainer.
                if self._sayings.first("defect"):
                    log.exception("sqd: a frame could not be sent and is dropped")
                self._outbox.drop_first("defect")
                self._rest(RETRY_FIRST_S)
            finally:
                self._queue.spend(time.thread_time() - began_s)
        self._link.close()

    def _done(self) -> bool:
        if not self._closing.is_set():
            return False
        if time.monotonic() > self._give_up_s:
            return True
        if not (self._packing.done.is_set() and self._outbox.empty):
            return False
        if self._deleted:
            return True
        if not self._link.connected:
            # One try is due to a run that pushed nothing that could be sent: it has its counts.
            return not self._link.registered and (self._tried or not self._queue.begun)
        self._beat(finished=True)
        self._told = True
        return True

    def _step(self) -> None:
        if self._deleted:
            self._queue.clear("deleted")
            self._outbox.drop_all("deleted")
            self._rest(PACK_INTERVAL_S)
            return
        if not self._queue.begun:
            if not self._named.is_set():
                self._foresee_name()
            self._rest(PACK_INTERVAL_S)
            return
        if not self._link.connected:
            self._connect()
        if time.monotonic() >= self._next_beat_s:
            self._beat()
        # Each line goes on when the other must wait.
        advanced = [self._posting.advance(kind) for kind in KINDS]
        if not any(advanced):
            self._outbox.bell.wait(self._idle_s())
            self._outbox.bell.clear()

    def _idle_s(self) -> float:
        """Until a frame that had to wait is tried again, or the next heartbeat."""
        if self._closing.is_set() or not self._outbox.empty:
            return PACK_INTERVAL_S
        return max(0.0, self._next_beat_s - time.monotonic())

    def _foresee_name(self) -> None:
        """Have `run` say which name is free; the first push takes it."""
        try:
            with contextlib.suppress(LinkError):
                self._link.run = free_name(self._settings)
        finally:
            self._named.set()

    def _connect(self) -> None:
        self._tried = True
        try:
            if self._link.connect(self._outbox.first_row(self._packing.weights.rows)):
                self._posting.forget()
        finally:
            self._named.set()
        self._outbox.away = False
        self._retry_s = RETRY_FIRST_S
        self._sayings.forget("away", "busy", "lost")

    def _hang_up(self) -> None:
        self._link.close()
        self._outbox.away = True

    def _beat(self, *, finished: bool = False) -> None:
        self._next_beat_s = time.monotonic() + BEAT_INTERVAL_S
        drops, networks = self._queue.dropped(), self._packing.weights.packer.networks
        crash, ring = self._crash, self.control.ring
        answer = self._link.beat(drops, networks, finished=finished, crash=crash, ring=ring)
        self._posting.heard(answer.batches_done)
        self.control.hear(answer)

    def _tell_what_is_left(self, timeout_s: float) -> None:
        """Whatever is neither sent nor on disk by now is lost; what is on disk can be sent."""
        self._queue.clear("flush")
        unsaid = self._link.registered and not (self._told or self._deleted)
        left_bytes = self._outbox.close("flush", unsaid=unsaid)
        lost = {k: n for k, n in self._queue.dropped().items() if k.startswith("flush")}
        if lost:
            self._say("flush", f"gave up after {timeout_s:.1f} s; what waited is lost: {lost}")
        if (left_bytes or unsaid) and self._spool is not None:
            what = f"{left_bytes} bytes wait" if left_bytes else "the end of the run waits"
            self._say("spooled", f"{what} on disk: `sqd sync {self._spool.folder}` sends it")

    def _rest(self, seconds: float) -> None:
        if self._closing.is_set():
            # Leaving: try again soon, but do not spin.
            time.sleep(min(seconds, PACK_INTERVAL_S))
        else:
            self._closing.wait(seconds)

    def _say(self, topic: str, message: str) -> None:
        if self._sayings.first(topic):
            log.warning("sqd: %s", message)
