"""A run has its name when `start` returns, and a place in the list before its first push."""

import multiprocessing
import signal
import time
from typing import Any

import numpy as np
import pytest

import trainer_hooks.run
from monitor.store.runs import read_run, run_ids
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail, eventually
from tests.trainer_hooks.outage import DURABLE, Outage
from trainer_hooks import clients
from trainer_hooks.settings import default_run

W = {"w": np.ones(2)}
#: An address where nobody listens.
NOWHERE = "redis://127.0.0.1:1/0"
#: Longer than any test lives, seconds.
FOR_EVER_S = 10_000.0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `start` that waits for Redis hangs."""
    monkeypatch.setattr(trainer_hooks.run, "NAME_TIMEOUT_S", FOR_EVER_S)


@pytest.fixture
def rank_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher that tells this process that it is rank 0."""
    monkeypatch.setenv("RANK", "0")


@pytest.mark.parametrize("variable", ["SQD_RANK", "RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK"])
def test_rank_0_is_registered_when_start_returns(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch, patient: None, variable: str
) -> None:
    monkeypatch.setenv(variable, "0")
    runs = [start("demo", redis_url=mail.redis_url, config={"lr": 1}, tags=["t"]) for _ in range(3)]
    assert [run.id for run in runs] == ["demo", "demo-2", "demo-3"]
    record = read_run(mail.store, "demo")
    assert (record.status, record.config["lr"], record.tags) == ("running", 1, ["t"])
    for run in runs:
        run.finish()
    assert {read_run(mail.store, run.id).status for run in runs} == {"finished"}


def test_rank_0_that_is_registered_pushes_shard_0(start: Start, mail: Mail, rank_0: None) -> None:
    run = start("demo", redis_url=mail.redis_url)
    for step in range(2):
        run.push_weights(step, G=W, shard=(0, 2), scalars={"loss": 1.0})
    run.finish()
    assert len(mail.pairs("demo", "G")) == 1
    assert len(mail.scalars("demo")["loss"]) == 2


def test_rank_0_that_is_registered_cannot_become_another(
    start: Start, mail: Mail, rank_0: None
) -> None:
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights(0, G=W, shard=(1, 2))
    run.finish()
    ((_, reason),) = mail.failures("demo")["S.G"]
    assert reason == "shard=(1, 2) after this process began a run of whole networks"


@pytest.mark.parametrize("variable", ["", "SLURM_PROCID", "LOCAL_RANK"])
def test_process_that_may_be_another_rank_registers_with_its_first_push(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch, patient: None, variable: str
) -> None:
    if variable:
        monkeypatch.setenv(variable, "0")
    for expected in ("demo", "demo-2", "demo-3"):
        run = start("demo", redis_url=mail.redis_url)
        # The name is that of the next free one.
        assert run.id == expected
        assert expected not in run_ids(mail.store)
        run.push_weights(0, scalars={"loss": 1.0})
        eventually(lambda: expected in run_ids(mail.store))  # noqa: B023
        run.finish()
        assert run.id == expected


def test_resumed_run_shows_its_own_name(start: Start, mail: Mail) -> None:
    first = start("demo", redis_url=mail.redis_url)
    first.push_weights(0, scalars={"loss": 1.0})
    first.finish()
    assert start("demo", redis_url=mail.redis_url, resume=True).id == "demo"


def test_run_without_a_push_is_registered_at_its_end(start: Start, mail: Mail) -> None:
    for _ in range(2):
        start("demo", redis_url=mail.redis_url, config={"lr": 1}, tags=["t"]).finish()
    assert sorted(run_ids(mail.store)) == ["demo", "demo-2"]
    record = read_run(mail.store, "demo")
    assert (record.status, record.config["lr"], record.tags) == ("finished", 1, ["t"])


@pytest.mark.parametrize("variable", ["", "RANK"])
def test_child_of_multiprocessing_registers_nothing_by_itself(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    # A data loader's child runs the script, and with it `start`, and inherits what launchers tell.
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: "the trainer")
    if variable:
        monkeypatch.setenv(variable, "0")
    start("demo", redis_url=mail.redis_url).finish()
    assert run_ids(mail.store) == []


@pytest.mark.parametrize(
    "options",
    [{"redis_url": NOWHERE}, {}, {"mode": "offline"}, {"mode": "disabled"}],
    ids=["refuses", "unknown", "offline", "disabled"],
)
@pytest.mark.parametrize("rank", ["", "0", "1"])
def test_start_waits_for_no_redis_that_is_not_there(
    start: Start, patient: None, monkeypatch: pytest.MonkeyPatch, options: Any, rank: str
) -> None:
    monkeypatch.setenv("RANK", rank)
    run = start("demo", flush_timeout_s=1, **options)
    assert run.id == "demo"
    run.finish()
    assert not (run.settings.home / "spool").exists()


def test_other_rank_asks_nobody_for_its_name(
    start: Start, mail: Mail, patient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    before = mail.store.data.info("stats")["total_connections_received"]
    assert start("demo", redis_url=mail.redis_url).id == "demo"
    assert mail.store.data.info("stats")["total_connections_received"] == before


@pytest.mark.parametrize("rank", ["", "0"])
def test_start_waits_a_second_for_a_frozen_redis(
    outage: Outage, start: Start, monkeypatch: pytest.MonkeyPatch, rank: str
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(clients, "SOCKET_TIMEOUT_S", 60)
    outage.up()
    outage.send(DURABLE, signal.SIGSTOP)
    began_s = time.monotonic()
    run = start("demo")
    assert time.monotonic() - began_s < 30
    run.push_weights(0, scalars={"loss": 1.0})
    outage.send(DURABLE, signal.SIGCONT)
    run.finish()
    assert outage.mail.scalars("demo") == {"loss": [(0, 1.0)]}


def test_runs_without_a_name_have_names_of_their_own(start: Start) -> None:
    names = [start(mode="offline").id for _ in range(3)]
    assert len({*names, default_run()}) == 4
