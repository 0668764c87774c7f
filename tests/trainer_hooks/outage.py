"""Embedded servers that a test treats badly, and a training that pushes meanwhile."""

import os
import signal
from pathlib import Path

import numpy as np

from monitor.store.embedded import EmbeddedRedis
from tests.trainer_hooks.mail import Mail
from trainer_hooks import Run, keys

DURABLE, VOLATILE = 0, 1


class Outage:
    """Embedded servers of one test, to be treated badly. The hooks find them by the endpoint."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._server: EmbeddedRedis | None = None

    def up(self) -> None:
        """Start, or start again on the same data with other ports and passwords."""
        self._server = EmbeddedRedis(self.home)
        self._server.store.data.set(keys.BLOB_URL, self._server.blob_url)
        self._server.announce()

    def down(self) -> None:
        """Stop both, if they run."""
        if self._server is not None:
            for which in (DURABLE, VOLATILE):
                self.send(which, signal.SIGCONT)
            self._server.store.data.close()
            self._server.store.blobs.close()
            self._server.close()
            self._server = None

    def send(self, which: int, what: signal.Signals) -> None:
        """Send a signal to one of the servers."""
        child = self.server._children[which]
        if child.poll() is None:
            os.kill(child.pid, what)

    def empty(self) -> None:
        """As if both had been restarted without their data."""
        self.server.store.blobs.flushall()
        with self.server.store.data.pipeline() as both:
            both.flushall()
            both.set(keys.BLOB_URL, self.server.blob_url)
            both.execute()

    def release(self, run: str) -> None:
        """Give the budget back, as a worker does that has taken what is there."""
        self.server.store.blobs.delete(keys.outstanding(run), keys.outstanding_bytes(run))

    @property
    def server(self) -> EmbeddedRedis:
        assert self._server is not None
        return self._server

    @property
    def mail(self) -> Mail:
        return Mail(self.server.store, self.server.redis_url)

    def refuse(self) -> None:
        """Change the passwords and hang up on everybody: who comes back has the wrong one."""
        for client in (self.server.store.data, self.server.store.blobs):
            client.config_set("requirepass", "another")
            client.client_kill_filter(_type="normal")

    def fill(self) -> None:
        """No memory left: whatever would take some is refused with OOM."""
        for client in (self.server.store.data, self.server.store.blobs):
            client.config_set("maxmemory", "1")


def push(run: Run, steps: range) -> None:
    """As a training does."""
    for step in steps:
        run.push_weights(step, G={"w": np.full(4, step + 1.0)}, scalars={"loss": float(step)})
        run.push_samples(step, lambda n: np.zeros((n, 1, 2, 2), np.uint8))


def steps_of(mail: Mail, run: str) -> list[int]:
    return [step for step, _ in mail.scalars(run).get("loss", [])]
