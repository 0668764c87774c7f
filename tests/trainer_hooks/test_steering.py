"""The way back over a real Redis: stop, alerts, the ring; and what is left of it without one."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import trainer_hooks
from monitor.store.connection import Store
from monitor.store.control import ask_to_stop, stop_of, withdraw
from monitor.store.runs import read_run, run_ids
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail, eventually
from tests.trainer_hooks.outage import DURABLE, VOLATILE, Outage
from tests.trainer_hooks.trainers import in_a_process
from trainer_hooks import Run, clients, keys, push_weights, sender
from trainer_hooks.checkpoints import Checkpoints
from trainer_hooks.sync import spools_in, sync

#: An address where nobody listens.
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender's waits, short."""
    monkeypatch.setattr(sender, "BEAT_INTERVAL_S", 0.05)
    monkeypatch.setattr(sender, "RETRY_FIRST_S", 0.05)
    monkeypatch.setattr(sender, "RETRY_LONGEST_S", 0.1)
    monkeypatch.setattr(clients, "SOCKET_TIMEOUT_S", 0.5)


def raise_alert(store: Store, run: str, name: str, step: int, kind: str = "mode_collapse") -> None:
    """As the watch does."""
    alert = {
        "id": name, "run": run, "kind": kind, "step": step, "detected_step": step + 5,
        "metrics": ["D"], "severity": "critical", "message": "D fell.", "time": store.now_s(),
    }  # fmt: skip
    store.data.hset(keys.alerts(run), name, json.dumps(alert))


def begun(run: Run, mail: Mail) -> None:
    """Push, and wait for the first heartbeat: what is raised from now on is news."""
    before = beats(mail)
    run.push_weights(0, scalars={"loss": 1.0})
    eventually(lambda: beats(mail) > before)


def beats(mail: Mail) -> int:
    """How many processes have said what they lost."""
    return sum(name.startswith("drops:") for name in mail.meta("demo"))


def write(path: Path) -> None:
    path.write_text("all that there is")


def train(ring: Checkpoints, steps: range) -> None:
    for step in steps:
        ring.save_if_due(step)


def told(mail: Mail, run: str = "demo") -> list[tuple[int, bool, str]]:
    return [(each.step, each.pinned, each.alert) for each in read_run(mail.store, run).pinned]


def test_stop_is_heard_and_told_and_can_be_taken_back(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    assert not run.should_stop()
    begun(run, mail)
    assert not run.should_stop()
    ask_to_stop(mail.store, "demo", "test")
    eventually(run.should_stop)
    stop = stop_of(mail.store, "demo")
    assert stop is not None
    assert stop.told is not None
    assert stop.told >= stop.asked
    withdraw(mail.store, "demo")
    eventually(lambda: not run.should_stop())


def test_stop_is_not_for_who_resumes(start: Start, mail: Mail) -> None:
    first = start("demo", redis_url=mail.redis_url)
    begun(first, mail)
    ask_to_stop(mail.store, "demo", "test")
    eventually(first.should_stop)
    first.finish()
    assert first.should_stop()
    second = start("demo", redis_url=mail.redis_url, resume=True)
    begun(second, mail)
    raise_alert(mail.store, "demo", "after the first beat", 3)
    eventually(second.alerts)
    assert not second.should_stop()


def test_stop_stays_when_redis_dies(outage: Outage, start: Start) -> None:
    outage.up()
    run = start("demo", flush_timeout_s=0.5)
    begun(run, outage.mail)
    ask_to_stop(outage.server.store, "demo", "test")
    eventually(run.should_stop)
    for which in (DURABLE, VOLATILE):
        outage.send(which, signal.SIGKILL)
    push_weights(1, scalars={"loss": 1.0})
    assert run.should_stop()


def test_alerts_reach_who_asks_and_who_listens(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    called: list[Any] = []
    run.on_alert(called.append)
    begun(run, mail)
    raise_alert(mail.store, "demo", "a", 3)
    (alert,) = eventually(run.alerts)
    assert (alert["id"], alert["step"]) == ("a", 3)
    assert called == []
    run.push_samples(1, np.zeros((1, 1, 2, 2), np.uint8))
    push_weights(2, scalars={"loss": 1.0})
    assert called == [alert]


def test_resumed_run_does_not_hear_old_alerts(start: Start, mail: Mail) -> None:
    first = start("demo", redis_url=mail.redis_url)
    begun(first, mail)
    raise_alert(mail.store, "demo", "old", 3)
    eventually(first.alerts)
    first.finish()
    second = start("demo", redis_url=mail.redis_url, resume=True)
    called: list[Any] = []
    second.on_alert(called.append)
    begun(second, mail)
    raise_alert(mail.store, "demo", "new", 3)
    assert [alert["id"] for alert in eventually(second.alerts)] == ["new"]
    push_weights(1, scalars={"loss": 1.0})
    assert [alert["id"] for alert in called] == ["new"]


def test_ring_pins_says_where_and_rewinds(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    loaded: list[Path] = []
    ring = run.checkpoints(every=10, save=write, load=loaded.append)
    begun(run, mail)
    train(ring, range(1, 35))
    raise_alert(mail.store, "demo", "a", 25)
    (alert,) = eventually(run.alerts)
    ring.save_if_due(35)
    eventually(lambda: told(mail) == [(20, True, "a")])
    (pinned,) = read_run(mail.store, "demo").pinned
    raise_alert(mail.store, "demo", "stale", 28)
    back = run.rewind(alert)
    assert back is not None
    assert (back.step, back.alert["id"], str(back.path)) == (20, "a", pinned.path)
    assert loaded == [back.path]
    # A second alert of what was left is not told, one of what comes after is.
    raise_alert(mail.store, "demo", "fresh", 30)
    assert [each["id"] for each in eventually(run.alerts)] == ["fresh"]
    assert run.dropped == {}


def test_last_beat_tells_of_a_pin(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    ring = run.checkpoints(every=10, save=write)
    begun(run, mail)
    train(ring, range(1, 35))
    raise_alert(mail.store, "demo", "a", 25)
    eventually(run.alerts)
    run.finish()
    assert told(mail) == [(20, True, "a")]
    ring.save_if_due(99)
    assert run.rewind() is None


def test_networks_that_are_pushed_are_what_is_saved(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    net = nn.Linear(2, 2)
    ring = run.checkpoints(every=10)
    for step in range(1, 25):
        with torch.no_grad():
            net.weight.fill_(step)
        push_weights(step, {"E": nn.Linear(1, 1)}, G=net)
        ring.save_if_due(step)
    raise_alert(mail.store, "demo", "a", 15)
    eventually(run.alerts)
    back = run.rewind()
    assert back is not None
    assert (back.step, back.path.suffix) == (10, ".safetensors")
    assert net.weight.tolist() == [[10, 10], [10, 10]]


def test_resumed_run_rewinds_to_what_its_killed_process_pinned(start: Start, mail: Mail) -> None:
    code = """
import os, signal, time, trainer_hooks
trainer_hooks.sender.BEAT_INTERVAL_S = 0.05
run = trainer_hooks.start("demo")
ring = run.checkpoints(every=10, save=lambda path: path.write_text("x"))
for step in range(1, 35):
    run.push_weights(step, scalars={"loss": 1.0})
    ring.save_if_due(step)
print("trained", flush=True)
while not run.alerts():
    time.sleep(0.01)
ring.save_if_due(35)
os.kill(os.getpid(), signal.SIGKILL)
"""
    import threading

    def alert_when_there() -> None:
        eventually(lambda: run_ids(mail.store))
        raise_alert(mail.store, "demo", "a", 25)

    watch = threading.Thread(target=alert_when_there)
    watch.start()
    ended = in_a_process(mail, code)
    watch.join()
    assert ended.returncode == -signal.SIGKILL
    run = start("demo", redis_url=mail.redis_url, resume=True)
    loaded: list[Path] = []
    ring = run.checkpoints(every=10, save=write, load=loaded.append)
    back = run.rewind()
    assert back is not None
    assert (back.step, back.alert["id"], back.path.read_text()) == (20, "a", "x")
    run.push_weights(21, scalars={"loss": 1.0})
    train(ring, range(21, 31))
    eventually(lambda: told(mail) == [(20, True, "a")])
    assert len(list(back.path.parent.glob("step-*"))) == 4


def test_synced_run_tells_where_its_checkpoints_lie(start: Start, mail: Mail) -> None:
    run = start("demo", mode="offline")
    ring = run.checkpoints(every=10, save=write)
    for step in range(1, 35):
        run.push_weights(step, scalars={"loss": 1.0})
        ring.save_if_due(step)
    run.finish()
    (folder,) = spools_in(run.settings.home / "spool")
    sync(folder, redis_url=mail.redis_url)
    raise_alert(mail.store, "demo", "a", 25)
    assert told(mail) == [(20, False, "a")]


@pytest.mark.parametrize("options", [{"redis_url": NOWHERE}, {"mode": "offline"}], ids=str)
def test_ring_goes_on_without_redis(start: Start, options: dict[str, Any], tmp_path: Path) -> None:
    run = start("demo", **options)
    ring = run.checkpoints(every=10, keep=2, save=write, folder=tmp_path / "ring")
    for step in range(1, 100):
        run.push_weights(step, scalars={"loss": 1.0})
        ring.save_if_due(step)
    names = sorted(path.name.split("-")[1] for path in (tmp_path / "ring").glob("step-*"))
    assert names == ["000000000080", "000000000090"]
    assert (run.alerts(), run.should_stop()) == ([], False)
    assert run.rewind() is None
    run.finish()
    assert run.dropped == {"bad_checkpoint": 1}


def test_ring_goes_on_when_redis_dies_and_pins_when_it_is_back(
    outage: Outage, start: Start
) -> None:
    outage.up()
    run = start("demo")
    ring = run.checkpoints(every=10, keep=4, save=write)
    begun(run, outage.mail)
    train(ring, range(1, 25))
    raise_alert(outage.server.store, "demo", "a", 35)
    for which in (DURABLE, VOLATILE):
        outage.send(which, signal.SIGKILL)
    train(ring, range(25, 55))
    outage.down()
    outage.up()
    raise_alert(outage.server.store, "demo", "b", 45)
    run.push_weights(55, scalars={"loss": 1.0})
    eventually(lambda: "b" in [alert["id"] for alert in run.alerts()])
    ring.save_if_due(56)
    eventually(lambda: (40, True, "b") in told(outage.mail))


def test_disabled_run_keeps_nothing(start: Start, tmp_path: Path) -> None:
    run = start("demo", mode="disabled")
    ring = run.checkpoints(every=1, save=write, folder=tmp_path / "ring")
    train(ring, range(5))
    assert (run.rewind(), run.should_stop(), run.alerts()) == (None, False, [])
    assert not (tmp_path / "ring").exists()


@pytest.mark.parametrize("rank", ["1", "3"])
def test_other_ranks_keep_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str
) -> None:
    monkeypatch.setenv("RANK", rank)
    run = start("demo", redis_url=NOWHERE)
    train(run.checkpoints(every=1, save=write, folder=tmp_path / "ring"), range(5))
    assert not (tmp_path / "ring").exists()


def test_members_are_not_told_to_stop(start: Start, mail: Mail) -> None:
    half = {"w": np.ones(2)}
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(0, G=half, shard=(0, 2))
    eventually(lambda: run_ids(mail.store))
    member = start("demo", redis_url=mail.redis_url)
    member.push_weights(0, G=half, shard=(1, 2))
    eventually(lambda: mail.store.data.hlen(keys.members("demo")))
    ask_to_stop(mail.store, "demo", "test")
    eventually(run.should_stop)
    # Its next beat comes after the request.
    raise_alert(mail.store, "demo", "a", 3)
    eventually(member.alerts)
    assert not member.should_stop()


WRONG: dict[str, Callable[[Run], Any]] = {
    "every": lambda run: run.checkpoints(every=0),
    "save": lambda run: run.checkpoints(every=1, save="model.pt"),  # type: ignore[arg-type]
    "folder": lambda run: run.checkpoints(every=1, folder=3),  # type: ignore[arg-type]
    "rewind": lambda run: (run.checkpoints(every=1), run.rewind()),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_never_raise_unless_strict(start: Start, name: str) -> None:
    run = start("demo", redis_url=NOWHERE)
    WRONG[name](run)
    assert run.dropped == {"bad_checkpoint": 1}
    strict = start("demo", redis_url=NOWHERE, strict=True)
    with pytest.raises((trainer_hooks.errors.HookError, TypeError)):
        WRONG[name](strict)


def test_ring_of_a_wrong_call_does_nothing(start: Start) -> None:
    run = start("demo", redis_url=NOWHERE)
    train(run.checkpoints(every=0), range(5))
    assert run.rewind() is None
    assert run.dropped == {"bad_checkpoint": 1}


def test_second_ring_takes_the_place_of_the_first(start: Start, tmp_path: Path) -> None:
    run = start("demo", redis_url=NOWHERE)
    first = run.checkpoints(every=1, save=write, folder=tmp_path)
    train(first, range(2))
    second = run.checkpoints(every=1, save=write, folder=tmp_path)
    train(first, range(2, 4))
    assert len(list(tmp_path.glob("step-*"))) == 2
    train(second, range(4, 5))
    assert len(list(tmp_path.glob("step-*"))) == 3
    assert run.dropped == {}


def test_two_processes_do_not_share_a_folder(start: Start, tmp_path: Path) -> None:
    rings = []
    for name in ("one", "two"):
        run = start(name, redis_url=NOWHERE)
        rings.append((run, run.checkpoints(every=1, save=write, folder=tmp_path)))
    for _, ring in rings:
        train(ring, range(3))
    assert [run.dropped for run, _ in rings] == [{}, {"bad_checkpoint": 3}]


def test_forked_children_save_nothing(mail: Mail, tmp_path: Path) -> None:
    code = f"""
import os, sys, trainer_hooks
run = trainer_hooks.start("demo")
ring = run.checkpoints(every=1, save=lambda path: path.write_text("x"), folder={str(tmp_path)!r})
ring.save_if_due(1)
if os.fork() == 0:
    ring.save_if_due(2)
    assert run.rewind() is None and not run.should_stop()
    sys.exit(0)
assert os.wait()[1] == 0
"""
    ended = in_a_process(mail, code)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(list(tmp_path.glob("step-*"))) == 1
