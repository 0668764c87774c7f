"""What a trainer left on disk arrives later: after outages, crashes, and without any network."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from monitor.store.runs import delete_run, read_run, run_ids
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail, eventually
from tests.trainer_hooks.outage import Outage
from tests.trainer_hooks.test_spool import weights
from trainer_hooks import Run, link
from trainer_hooks import sync as sync_module
from trainer_hooks.errors import BudgetUsedError, HookError, LinkError
from trainer_hooks.outgoing import Outgoing
from trainer_hooks.spool import Spool
from trainer_hooks.sync import spools_in, sync

pytestmark = pytest.mark.usefixtures("every_call")

#: Nobody listens on the port of discarding.
NOWHERE = "redis://127.0.0.1:9/0"
#: What was handed over longer ago than this survives a kill (issue 3, point 3), seconds.
SAFE_S = 1.0


@pytest.fixture
def home() -> Path:
    """Where the hooks of these tests keep their spools."""
    return Path(os.environ["SQD_HOME"]) / "spool"


def push(run: Run, steps: range) -> None:
    for step in steps:
        run.push_weights(
            step,
            G={"w": np.full(4, step + 1.0)},
            D={"w": np.full(100_000, step + 1.0)},
            scalars={"loss": float(step)},
        )
        run.push_samples(step, lambda n: np.zeros((n, 1, 2, 2), np.uint8))


def offline(start: Start, name: str, steps: range, **options: object) -> None:
    run = start(name, mode="offline", samples=4, samples_every=5, **options)
    push(run, steps)
    run.finish()
    assert run.dropped == {}


def steps_of(mail: Mail, run: str) -> list[int]:
    return [step for step, _ in mail.scalars(run).get("loss", [])]


def only(folder: Path) -> Path:
    (found,) = spools_in(folder)
    return found


def test_run_without_a_network_arrives_whole(start: Start, mail: Mail, home: Path) -> None:
    offline(start, "demo", range(20), config={"lr": 1}, tags=["a"])
    assert run_ids(mail.store) == []
    synced = sync(only(home), redis_url=mail.redis_url)
    assert (synced.run, synced.lost) == ("demo", {})
    assert steps_of(mail, "demo") == list(range(20))
    assert len(mail.pairs("demo", "G")) == len(mail.pairs("demo", "D")) == 19
    assert list(mail.batches("demo")) == [0, 5, 10, 15]
    record = read_run(mail.store, "demo")
    assert (record.status, record.config["lr"], record.tags) == ("finished", 1, ["a"])
    assert record.networks["D"]["parameters"] == 100_000
    assert spools_in(home) == []
    assert list(home.iterdir()) == []


def test_run_that_began_long_ago_says_so(
    start: Start, mail: Mail, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(start, "demo", range(3))
    hour_ago_s = mail.store.now_s() - 3600
    about = only(home) / "about.json"
    told = about.read_text()
    began = told[told.index('"started_s": ') :].split(",")[0]
    about.write_text(told.replace(began, f'"started_s": {hour_ago_s}'))
    sync(only(home), redis_url=mail.redis_url)
    assert read_run(mail.store, "demo").started == pytest.approx(hour_ago_s, abs=5)


def test_error_that_ended_a_run_without_a_network_is_told(
    start: Start, mail: Mail, home: Path
) -> None:
    with contextlib.suppress(RuntimeError), start("demo", mode="offline") as run:
        push(run, range(3))
        raise RuntimeError("CUDA out of memory")
    sync(only(home), redis_url=mail.redis_url)
    record = read_run(mail.store, "demo")
    assert (record.status, record.crash) == ("lost", "RuntimeError: CUDA out of memory")


TRAINER = """
    import sys, time
    import numpy as np
    import trainer_hooks
    run = trainer_hooks.start("demo", redis_url=sys.argv[1], max_overhead=1.0)
    for step in range(10**9):
        now = time.time()
        run.push_weights(step, G={"w": np.full(4, step + 1.0)}, scalars={"loss": now})
        print(step, now, flush=True)
        time.sleep(0.01)
"""


@pytest.fixture
def trainer(mail: Mail) -> Iterator[subprocess.Popen[str]]:
    """Pushes every 10 ms to a Redis that is not there."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(TRAINER), NOWHERE], stdout=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_killed_trainer_lost_at_most_its_last_second(
    trainer: "subprocess.Popen[str]", mail: Mail, home: Path
) -> None:
    assert trainer.stdout is not None
    handed_over: dict[int, float] = {}
    began_s = time.time()
    while time.time() < began_s + 4 or len(handed_over) < 200:
        step, now = trainer.stdout.readline().split()
        handed_over[int(step)] = float(now)
    with pytest.raises(HookError, match="still runs"):
        sync(only(home), redis_url=mail.redis_url)
    trainer.send_signal(signal.SIGKILL)
    killed_s = time.time()
    trainer.wait()
    synced = sync(only(home), redis_url=mail.redis_url)
    assert synced.lost == {}
    arrived = dict(mail.scalars("demo")["loss"])
    safe = {step for step, when in handed_over.items() if when < killed_s - SAFE_S}
    assert len(safe) > 50
    assert safe <= arrived.keys()
    angles = {step for step, kind, _ in mail.pairs("demo", "G") if kind == 0}
    assert safe - {0} <= angles
    assert read_run(mail.store, "demo").finished is None


def test_what_arrives_twice_is_there_once(start: Start, mail: Mail, home: Path) -> None:
    offline(start, "demo", range(10))
    folder = only(home)

    def interrupt(outgoing: Outgoing) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync(folder, redis_url=mail.redis_url, progress=interrupt)
    synced = sync(folder, redis_url=mail.redis_url)
    assert synced.run == "demo"
    assert run_ids(mail.store) == ["demo"]
    assert len(read_run(mail.store, "demo").segments) == 1
    assert sorted(set(steps_of(mail, "demo"))) == list(range(10))


def test_outage_amid_a_sync_loses_nothing(
    start: Start, mail: Mail, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(start, "demo", range(10))
    with pytest.raises(LinkError):
        sync(only(home), redis_url=NOWHERE)
    sync(only(home), redis_url=mail.redis_url)
    assert steps_of(mail, "demo") == list(range(10))


def test_name_that_is_taken_gets_a_number(start: Start, mail: Mail, home: Path) -> None:
    start("demo", redis_url=mail.redis_url).push_weights(0, scalars={"loss": 1.0})
    eventually(lambda: run_ids(mail.store) == ["demo"])
    offline(start, "demo", range(3))
    assert sync(only(home), redis_url=mail.redis_url).run == "demo-2"


def test_parts_of_a_resumed_run_arrive_in_their_order(start: Start, mail: Mail, home: Path) -> None:
    offline(start, "demo", range(10))
    time.sleep(0.01)
    offline(start, "demo", range(5, 15), resume=True)
    folders = spools_in(home)
    assert len(folders) == 2
    assert [sync(folder, redis_url=mail.redis_url).run for folder in folders] == ["demo", "demo"]
    record = read_run(mail.store, "demo")
    assert [segment.ordinal for segment in record.segments] == [0, 1]
    assert record.segments[0].started < record.segments[1].started


def test_late_part_never_hides_a_newer_one(start: Start, mail: Mail, home: Path) -> None:
    offline(start, "demo", range(10), resume=True)
    newer = start("demo", redis_url=mail.redis_url, resume=True)
    push(newer, range(5, 8))
    newer.finish()
    assert sync(only(home), redis_url=mail.redis_url).run == "demo-2"
    assert len(read_run(mail.store, "demo").segments) == 1


def test_deleted_run_stays_deleted(start: Start, mail: Mail, home: Path) -> None:
    run = start("demo", redis_url=mail.redis_url)
    push(run, range(3))
    eventually(lambda: steps_of(mail, "demo"))
    assert run._sender is not None
    folder = home / "copy"
    # What a process leaves that was killed while Redis was away.
    spool = Spool(folder, 2**20, lambda *_: None, run._sender._about)
    spool.add(weights(7))
    run.finish()
    spool.close()
    delete_run(mail.store, "demo")
    with pytest.raises(HookError, match="run 'demo' was deleted"):
        sync(folder, redis_url=mail.redis_url)
    assert run_ids(mail.store) == []
    assert spools_in(home) == [folder]


def test_worker_that_is_behind_is_waited_for(
    start: Start, mail: Mail, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(start, "demo", range(10))
    monkeypatch.setattr(sync_module, "BEHIND_S", 0.0)
    refused = iter([True, True, False])
    original = link.Link.post

    def post(self: link.Link, *args: object) -> object:
        if next(refused, False):
            raise BudgetUsedError("7 bytes are not yet processed")
        return original(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(link.Link, "post", post)
    sync(only(home), redis_url=mail.redis_url)
    assert steps_of(mail, "demo") == list(range(10))


@pytest.mark.parametrize("about", ["{}", "[]", "no JSON", '{"run": "a/b", "resume": false}'])
def test_description_that_was_damaged_is_said(
    start: Start, mail: Mail, home: Path, about: str
) -> None:
    offline(start, "demo", range(3))
    folder = only(home)
    (folder / "about.json").write_text(about)
    with pytest.raises(HookError):
        sync(folder, redis_url=mail.redis_url)
    assert list(folder.glob("weights-*"))


def test_end_that_redis_did_not_hear_is_told_later(
    outage: Outage, start: Start, home: Path
) -> None:
    outage.up()
    run = start("demo", flush_timeout_s=1)
    run.push_weights(0, scalars={"loss": 1.0})
    eventually(lambda: steps_of(outage.mail, "demo") == [0])
    eventually(lambda: run._sender is not None and run._sender._outbox.empty)
    outage.down()
    with contextlib.suppress(RuntimeError), run:
        raise RuntimeError("CUDA out of memory")
    assert run.dropped == {}
    outage.up()
    synced = sync(only(home), redis_url=outage.server.redis_url)
    assert (synced.frames, synced.lost) == (0, {})
    record = read_run(outage.server.store, "demo")
    assert (record.status, record.crash) == ("lost", "RuntimeError: CUDA out of memory")
    assert spools_in(home) == []


def test_interrupted_before_the_end_was_told_it_is_told_by_the_next(
    start: Start, mail: Mail, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: link.Link, *_: object, **__: object) -> None:
        raise LinkError("the line broke")

    offline(start, "demo", range(3))
    with monkeypatch.context() as patch:
        patch.setattr(link.Link, "beat", broken)
        with pytest.raises(LinkError):
            sync(only(home), redis_url=mail.redis_url)
    assert steps_of(mail, "demo") == [0, 1, 2]
    assert read_run(mail.store, "demo").status == "running"
    sync(only(home), redis_url=mail.redis_url)
    assert read_run(mail.store, "demo").status == "finished"
    assert spools_in(home) == []
