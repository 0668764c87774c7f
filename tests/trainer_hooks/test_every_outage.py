"""Every outage alike: the training waits for nobody, stays in its budget, and its process ends."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import eventually
from tests.trainer_hooks.outage import DURABLE, VOLATILE, Outage, push, steps_of
from tests.trainer_hooks.slow_line import SlowLine
from tests.trainer_hooks.witness import Witness
from trainer_hooks import Run

MIB = 2**20
BUDGET = 8 * MIB
#: Of a network that fills the budget in thirty pushes, float32 numbers.
WEIGHTS = MIB // 16
#: Longest wait for a thread or a process that must end, seconds.
WAIT_S = 60.0
#: Flush timeout, seconds.
FLUSH_S = 1.0

#: What makes the loopback slow, and where it is said that it is.
SHAPE = "ip link set lo up && tc qdisc add dev lo root netem delay 100ms loss 10%"
SHAPED = "TESTS_SHAPED"

Amid = Callable[[Outage], None]


def nothing(outage: Outage) -> None:
    """It is bad from the start."""


def killed(outage: Outage) -> None:
    for which in (DURABLE, VOLATILE):
        outage.send(which, signal.SIGKILL)


def frozen(outage: Outage) -> None:
    for which in (DURABLE, VOLATILE):
        outage.send(which, signal.SIGSTOP)


OUTAGES: dict[str, Amid] = {
    "absent": nothing,
    "killed": killed,
    "frozen": frozen,
    "emptied": Outage.empty,
    "full": Outage.fill,
    "refusing": Outage.refuse,
    "slow": nothing,
    "gone": Outage.down,
}
every_outage = pytest.mark.parametrize("name", OUTAGES)


@contextmanager
def scene(name: str, outage: Outage) -> Iterator[None]:
    """The servers as they are when the training begins."""
    lines: list[SlowLine] = []
    if name != "absent":
        outage.up()
    if name == "slow" and SHAPED not in os.environ:
        lines = [SlowLine(outage.server.redis_url), SlowLine(outage.server.blob_url)]
        data, blobs = (line.url for line in lines)
        outage.server.store.data.set("sqd:blob_url", blobs)
        outage.server.announce(redis_url=data, blob_url=blobs)
    try:
        yield
    finally:
        for line in lines:
            line.close()


class Training(threading.Thread):
    """The thread of a training, from `start` to `finish`; `strict`, so that it hears of errors."""

    def __init__(self, begin: Start) -> None:
        super().__init__(name="training", daemon=True)
        self._begin = begin
        self.run_of: Run | None = None
        self.peak_bytes = 0
        self.pushed = threading.Event()
        self.go_on = threading.Event()
        self.error: BaseException | None = None
        self.dropped: dict[str, int] = {}

    def look(self) -> None:
        """Take note of the memory in use; from any thread."""
        if self.run_of is not None:
            self.peak_bytes = max(self.peak_bytes, self.run_of._queue.used_bytes)

    def run(self) -> None:
        """What a training does."""
        try:
            self._train()
        except BaseException as error:
            self.error = error
        self.pushed.set()

    def _train(self) -> None:
        options = {"samples": 4, "samples_every": 5, "budget_bytes": BUDGET, "strict": True}
        self.run_of = self._begin("demo", flush_timeout_s=FLUSH_S, **options)
        push(self.run_of, range(10))
        self.pushed.set()
        assert self.go_on.wait(WAIT_S)
        weights = np.zeros(WEIGHTS, np.float32)
        for step in range(10, 60):
            self.run_of.push_weights(step, big={"w": weights + step}, scalars={"loss": step})
            self.look()
        push(self.run_of, range(60, 80))
        self.dropped = self.run_of.dropped
        self.run_of.alerts()
        self.run_of.finish()
        self.look()


@every_outage
def test_training_thread_waits_for_nobody_and_memory_stays_in_budget(
    name: str, outage: Outage, start: Start, every_call: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scene(name, outage):
        witness = Witness(monkeypatch)
        training = Training(start)
        witness.at_call = training.look
        training.start()
        assert training.pushed.wait(WAIT_S)
        if name not in ("absent", "slow"):
            eventually(lambda: len(steps_of(outage.mail, "demo")) == 10)
        OUTAGES[name](outage)
        training.go_on.set()
        training.join(WAIT_S)
        assert not training.is_alive()
    assert training.error is None
    assert 0 < training.peak_bytes <= BUDGET
    assert "training" not in witness.calls
    # No lock that it waits for is ever held while another thread waits for the network.
    assert len(witness.taken_by(training)) > 0
    assert witness.taken_by(training) & witness.across == set()
    assert name == "absent" or {"connect", "sendall"} <= witness.calls["sqd-sender"]


CHILD = """
import sys, threading, time, trainer_hooks
run = trainer_hooks.start("demo", flush_timeout_s=float(sys.argv[1]), strict=True)
for step in range(10):
    run.push_weights(step, scalars={"loss": step})
print("pushed", flush=True)
sys.stdin.readline()
for step in range(10, 50):
    run.push_weights(step, scalars={"loss": step})
print("leaving", flush=True)
"""


@pytest.fixture
def child() -> Iterator["subprocess.Popen[str]"]:
    """A trainer process that leaves without `finish` once it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(FLUSH_S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@every_outage
def test_process_ends_in_time(name: str, outage: Outage, request: pytest.FixtureRequest) -> None:
    with scene(name, outage):
        process: subprocess.Popen[str] = request.getfixturevalue("child")
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "pushed\n"
        if name not in ("absent", "slow"):
            eventually(lambda: len(steps_of(outage.mail, "demo")) == 10)
        OUTAGES[name](outage)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "leaving\n"
        # What hangs here hangs for ever; how soon it leaves is the machine's as well as ours.
        assert process.wait(WAIT_S) == 0


def test_slow_line_loses_nothing(outage: Outage, start: Start) -> None:
    with scene("slow", outage):
        run = start("demo", samples=4, samples_every=5)
        push(run, range(10))
        eventually(lambda: steps_of(outage.mail, "demo") == list(range(10)))
        eventually(lambda: list(outage.mail.batches("demo")) == [0, 5])
        run.finish()
        assert run.dropped == {}


@pytest.mark.skipif(shutil.which("tc") is None, reason="tc is missing: apt-get install iproute2")
@pytest.mark.skipif(SHAPED in os.environ, reason="in the shaped network already")
def test_network_that_loses_packets() -> None:
    """The same over real packets, in a network of its own."""
    refused = subprocess.run(shaped("true"), capture_output=True, text=True, timeout=WAIT_S)
    if refused.returncode:
        pytest.skip(f"no traffic can be shaped here: {refused.stderr.strip()}")
    again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "slow"]
    environment = {**os.environ, SHAPED: "1"}
    inner = subprocess.run(
        shaped(*again), env=environment, capture_output=True, text=True, timeout=2 * WAIT_S
    )
    assert inner.returncode == 0, inner.stdout


def shaped(*command: str) -> list[str]:
    """A command in a network namespace whose loopback is slow and loses packets."""
    return ["unshare", "--net", "sh", "-c", f'{SHAPE} && exec "$0" "$@"', *command]
