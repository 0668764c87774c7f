"""The second, third and fourth promise: whatever Redis does, the training goes on and ends.

Nothing here measures time: that Redis cannot slow the training thread follows from its never
touching a socket, and a call that waited for a frozen server would never return.
"""

import shutil
import signal
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

import trainer_hooks
from monitor.store.runs import delete_run, read_run, run_ids
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.device import Device
from tests.trainer_hooks.mail import Mail, eventually
from tests.trainer_hooks.outage import DURABLE, VOLATILE, Outage, push, steps_of
from trainer_hooks import clients, keys, sender
from trainer_hooks.landing import Landing
from trainer_hooks.link import Link
from trainer_hooks.pushes import Moment, WeightsPush

MIB = 2**20


@pytest.fixture(autouse=True)
def _impatient(every_call: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender's waits, short."""
    monkeypatch.setattr(sender, "RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(sender, "RETRY_LONGEST_S", 0.1)
    monkeypatch.setattr(clients, "SOCKET_TIMEOUT_S", 0.5)


def test_redis_absent_at_the_start_and_there_later(outage: Outage, start: Start) -> None:
    run = start("demo", samples=4, samples_every=5)
    push(run, range(10))
    assert run.dropped == {}
    outage.up()
    eventually(lambda: steps_of(outage.mail, "demo") == list(range(10)))
    push(run, range(10, 20))
    run.finish()
    assert steps_of(outage.mail, "demo") == list(range(20))
    assert list(outage.mail.batches("demo")) == [0, 5, 10, 15]
    assert len(outage.mail.pairs("demo", "G")) == 19
    assert run.dropped == {}


def test_redis_killed_and_back_at_another_address(outage: Outage, start: Start) -> None:
    outage.up()
    run = start("demo", samples=4, samples_every=5)
    push(run, range(10))
    eventually(lambda: steps_of(outage.mail, "demo") == list(range(10)))
    eventually(lambda: len(outage.mail.batches("demo")) == 2)
    for which in (DURABLE, VOLATILE):
        outage.send(which, signal.SIGKILL)
    push(run, range(10, 20))
    outage.down()
    outage.up()
    push(run, range(20, 30))
    run.finish()
    # The volatile server lost what no worker had taken; its jobs say so. All the rest is there.
    record = read_run(outage.server.store, "demo")
    assert len(record.segments) == 1
    assert (record.status, record.pushed_steps["weights"]) == ("finished", 29)
    rows = sorted(row for frame in _left(outage.mail) for row in frame)
    assert rows == list(range(10, 30))
    assert run.dropped == {}


def _left(mail: Mail) -> list[list[int]]:
    """Row numbers of the frames that are still there."""
    found = []
    entries: Any = mail.store.data.xrange(keys.jobs(0, "fast"))
    for _, job in entries:
        data = mail.store.blobs.get(keys.blob("demo", job[b"blob"].decode()))
        if data is not None:
            frame = trainer_hooks.wire.decode(bytes(data))  # type: ignore[arg-type]
            found.append(frame.tensors["row.seq"].tolist())
    return found


@pytest.mark.parametrize("which", [DURABLE, VOLATILE], ids=["durable", "volatile"])
def test_frozen_redis_stops_nothing(outage: Outage, start: Start, which: int) -> None:
    outage.up()
    run = start("demo", samples=4, samples_every=5)
    push(run, range(5))
    eventually(lambda: steps_of(outage.mail, "demo") == list(range(5)))
    outage.send(which, signal.SIGSTOP)
    push(run, range(5, 50))
    outage.send(which, signal.SIGCONT)
    run.finish()
    assert sorted(set(steps_of(outage.mail, "demo"))) == list(range(50))
    assert run.dropped == {}
    assert read_run(outage.server.store, "demo").status == "finished"


@pytest.mark.parametrize("which", ["data", "blobs"])
def test_full_redis_costs_the_oldest_and_data_resumes(
    outage: Outage, start: Start, which: str
) -> None:
    outage.up()
    client = getattr(outage.server.store, which)
    run = start("demo", samples=4, samples_every=5, budget_bytes=8 * MIB)
    push(run, range(5))
    eventually(lambda: steps_of(outage.mail, "demo") == list(range(5)))
    client.config_set("maxmemory", "1")
    big = np.zeros(MIB // 8, np.float32)
    for step in range(5, 50):
        run.push_weights(step, G={"w": big + step + 1}, scalars={"loss": float(step)})
        assert run._queue.used_bytes <= 8 * MIB
    lost = run.dropped["budget.weights"]
    assert 0 < lost < 45
    client.config_set("maxmemory", "0")

    def arrived() -> bool:
        outage.release("demo")
        return steps_of(outage.mail, "demo")[-1:] == [49]

    eventually(arrived)
    steps = sorted(set(steps_of(outage.mail, "demo")))
    assert len(steps) == 50 - run.dropped["budget.weights"]
    # Oldest first: the newest are all there, as many as half of the budget holds.
    assert steps[-8:] == list(range(42, 50))


def test_wrong_password_stops_nothing_and_the_end_is_quick(
    outage: Outage, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    outage.up()
    url = outage.server.redis_url
    run = start("demo", redis_url=url.replace("redis://:", "redis://:wrong"), flush_timeout_s=3600)
    push(run, range(10))
    run.finish()
    assert run.dropped == {}
    assert "wait on disk: `sqd sync" in caplog.text
    assert run_ids(outage.server.store) == []
    assert "training goes on" in caplog.text
    assert url.split("@")[0][8:] not in caplog.text


def test_redis_restarted_empty_gets_the_run_again(outage: Outage, start: Start) -> None:
    outage.up()
    run = start("demo", samples=4, samples_every="auto", config={"lr": 1})
    push(run, range(10))
    eventually(lambda: steps_of(outage.mail, "demo") == list(range(10)))
    outage.empty()
    push(run, range(10, 20))
    run.finish()
    record = read_run(outage.server.store, "demo")
    assert (record.status, record.config["lr"]) == ("finished", 1)
    # The watch waits for no row that went down with the old data.
    assert record.segments[0].first_row == 10
    assert steps_of(outage.mail, "demo") == list(range(10, 20))


@pytest.mark.parametrize("how", ["flushed", "replaced"])
def test_samples_go_on_after_redis_lost_a_batch(outage: Outage, start: Start, how: str) -> None:
    outage.up()
    run = start("demo", samples=4, samples_every="auto")
    images = np.zeros((4, 1, 2, 2), np.uint8)
    run.push_samples(0, images)
    eventually(lambda: list(outage.mail.batches("demo")) == [0])
    run.push_samples(1, images)  # Not due: nobody has evaluated the first.
    if how == "flushed":
        outage.empty()
    else:
        outage.down()
        shutil.rmtree(outage.home / "data")
        outage.up()
    run.push_weights(2, scalars={"loss": 2.0})
    eventually(lambda: steps_of(outage.mail, "demo") == [2])

    def pushed() -> bool:
        run.push_samples(3, images)
        return list(outage.mail.batches("demo")) == [3]

    eventually(pushed)
    assert run.dropped == {}


def test_auto_goes_on_after_a_batch_was_dropped_unsent(outage: Outage, start: Start) -> None:
    run = start("demo", samples=4, samples_every="auto")
    images = np.zeros((4, 1, 2, 2), np.uint8)
    run.push_samples(0, images)
    run.push_samples(1, images)  # Not due: the first still waits.
    run._queue.clear("budget")
    assert run.dropped == {"budget.samples": 4}
    outage.up()

    def pushed() -> bool:
        run.push_samples(2, images)
        return list(outage.mail.batches("demo")) == [2]

    eventually(pushed)


def test_deleted_run_stops_and_counts(
    outage: Outage, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    outage.up()
    run = start("demo", samples=4, samples_every=5)
    push(run, range(5))
    eventually(lambda: steps_of(outage.mail, "demo") == list(range(5)))
    delete_run(outage.server.store, "demo")
    push(run, range(5, 15))
    eventually(lambda: run.dropped.get("deleted.weights") == 10)
    push(run, range(15, 20))
    run.finish()
    assert run.dropped == {"deleted.weights": 15, "deleted.samples": 12}
    assert run_ids(outage.server.store) == []
    assert outage.server.store.data.keys("sqd:*:run:*") == []
    assert "was deleted" in caplog.text


def test_slow_worker_holds_up_samples_but_never_weights(outage: Outage, start: Start) -> None:
    outage.up()
    store, used = outage.server.store, keys.outstanding_bytes("demo")
    run = start("demo", samples=64, samples_every=1, budget_bytes=8 * MIB)
    images = np.zeros((64, 1, 128, 128), np.uint8)
    for step in range(5):
        run.push_samples(step, images)
        eventually(lambda: step in outage.mail.batches("demo"))  # noqa: B023
    for step in range(5, 8):
        run.push_samples(step, images)
    for step in range(5):
        run.push_weights(step, scalars={"loss": float(step)})
    # Three quarters of the budget are used up by samples; the rest is for what must be live.
    eventually(lambda: steps_of(outage.mail, "demo") == list(range(5)))
    assert [int(frame.rows.step[0]) for frame in outage.mail.samples("demo")] == list(range(5))
    assert 5 * MIB < int(store.blobs.get(used) or 0) <= 6 * MIB
    # A worker takes what is there: the rest follows.
    store.data.xtrim(keys.jobs(0, "samples"), 0)
    outage.release("demo")
    eventually(lambda: list(outage.mail.batches("demo")) == [5, 6, 7])
    assert run.dropped == {}


def test_defect_of_ours_costs_a_frame_and_is_counted(
    outage: Outage, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outage.up()
    original = Link.post
    broken = iter([True])

    def post(self: Link, *args: Any) -> Any:
        if next(broken, False):
            raise TypeError("a defect")
        return original(self, *args)

    monkeypatch.setattr(Link, "post", post)
    run = start("demo")
    run.push_weights(0, scalars={"loss": 0.0})
    eventually(lambda: run.dropped == {"defect.weights": 1})
    run.push_weights(1, scalars={"loss": 1.0})
    run.finish()
    assert steps_of(outage.mail, "demo") == [1]
    assert "a defect" in caplog.text


def test_devices_are_freed_though_redis_is_absent(start: Start) -> None:
    run = start("demo")
    device = Device(0.5)
    push = WeightsPush(Moment(1, None, 1.0), scalars={"loss": Landing(device)})
    run._queue.begin()
    run._queue.put(push)
    eventually(lambda: push.scalars == {"loss": 0.5})
    assert device.fetched == 1


def test_memory_stays_in_budget_without_redis(start: Start) -> None:
    run = start("demo", samples=64, samples_every=1, budget_bytes=16 * MIB)
    weights = {"w": np.ones(MIB // 8, np.float32)}
    images = np.zeros((64, 3, 64, 64), np.uint8)
    tracemalloc.start()
    try:
        for step in range(60):
            run.push_weights(step, G=weights)
            run.push_samples(step, images)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 18 * MIB
    # A network of half a MiB and a batch of three quarters, sixty times.
    assert run.dropped["budget.weights"] > 40
    assert run.dropped["budget.samples"] > 40 * 64


def test_memory_stays_in_budget_on_the_way_to_redis(outage: Outage, start: Start) -> None:
    outage.up()
    run = start("demo", budget_bytes=64 * MIB, weights="full")
    weights = {"w": np.ones(2 * MIB - 100, np.float32)}  # An eighth of the budget: the most.
    tracemalloc.start()
    try:
        for step in range(12):
            run.push_weights(step, G=weights, epoch=step // 2)
        run.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 66 * MIB
    assert len(outage.mail.pairs("demo", "G")) > 0


def test_what_is_lost_at_the_end_is_told_in_words_for_people(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    run = start("demo", spool_bytes=0, flush_timeout_s=2)
    run.push_weights(0, scalars={"loss": 0.0})
    run.finish()
    assert "gave up after 2.0 s; what waited is lost: {'flush.weights': 1}" in caplog.text


def trainer(flush_timeout_s: float) -> "subprocess.Popen[str]":
    """A trainer process that pushes, says "pushed", waits for a line and ends."""
    code = f"""
import trainer_hooks
run = trainer_hooks.start("demo", flush_timeout_s={flush_timeout_s})
for step in range(100):
    run.push_weights(step, scalars={{"loss": step}})
print("pushed", flush=True)
input()
for step in range(100, 200):
    run.push_weights(step, scalars={{"loss": step}})
"""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_process_ends_though_redis_never_came() -> None:
    process = trainer(3600)
    out, error = process.communicate("\n", timeout=60)
    assert (process.returncode, out) == (0, "pushed\n")
    assert "no Redis is known" in error
    assert "wait on disk: `sqd sync" in error


@pytest.mark.parametrize("which", [DURABLE, VOLATILE], ids=["durable", "volatile"])
def test_process_ends_though_redis_is_frozen(outage: Outage, which: int) -> None:
    outage.up()
    process = trainer(1)
    assert process.stdout is not None
    assert process.stdout.readline() == "pushed\n"
    eventually(lambda: steps_of(outage.mail, "demo"))
    outage.send(which, signal.SIGSTOP)
    process.communicate("\n", timeout=60)
    assert process.returncode == 0


def test_process_ends_though_redis_was_killed(outage: Outage) -> None:
    outage.up()
    process = trainer(1)
    assert process.stdout is not None
    assert process.stdout.readline() == "pushed\n"
    eventually(lambda: steps_of(outage.mail, "demo"))
    outage.send(DURABLE, signal.SIGKILL)
    _, error = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert "wait on disk: `sqd sync" in error
