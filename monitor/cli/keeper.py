"""Keeps the worker running, and says when going on makes no sense."""

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

from monitor.errors import StoreError
from monitor.process import start_child, stop_children
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from monitor.store.workers import has_beaten

#: How often children are looked at, seconds.
LOOK_S = 0.5
#: Wait before a worker that died is started again, seconds.
RESTART_S = 2.0
#: Exit codes of `sqd worker` when it says itself why it cannot work.
REFUSALS = (1, 2)

log = logging.getLogger(__name__)


class Keeper:
    """Starts the worker, and starts it again when it dies.

    Args:
        environment: settings of the worker, as variables.
        store: where the worker shows that it lives.
        embedded: our own Redis, if it is one.
        give_up: called once with the reason when Redis has ended or the worker refuses to start.
    """

    def __init__(
        self,
        environment: dict[str, str],
        store: Store,
        embedded: EmbeddedRedis | None,
        give_up: Callable[[str], None],
    ) -> None:
        self._environment = environment
        self._store = store
        self._embedded = embedded
        self._give_up = give_up
        self._closing = threading.Event()
        self._worker = self._start()
        # A child dies with the thread that started it (see process.py): this one outlives it.
        self._thread = threading.Thread(target=self._watch, name="keeper", daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Tell the worker to end, without waiting: others end meanwhile."""
        self._closing.set()
        self._thread.join()
        if self._worker.poll() is None:
            self._worker.terminate()

    def close(self) -> None:
        """Stop the worker."""
        self.ask_to_stop()
        stop_children([self._worker])

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "monitor.cli", "worker"]
        return start_child(command, environment=self._environment, orphan_signal=signal.SIGKILL)

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_S):
            reason = self._reason_to_stop()
            if reason:
                self._give_up(reason)
                return
            if self._worker.poll() is not None and not self._closing.wait(RESTART_S):
                code = self._worker.returncode
                log.error("the worker ended with %s; starting it again", code)
                self._worker = self._start()

    def _reason_to_stop(self) -> str:
        dead = self._embedded.dead() if self._embedded else None
        if dead and self._embedded:
            return f"the {dead} Redis has ended; its log is in {self._embedded.home}"
        if self._worker.poll() in REFUSALS and not self._has_worked():
            return "the worker cannot start; it says above why"
        return ""

    def _has_worked(self) -> bool:
        try:
            return has_beaten(self._store, self._worker.pid)
        except StoreError:
            return True  # An outage is no refusal.
