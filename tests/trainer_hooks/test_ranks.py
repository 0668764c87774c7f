"""Rank 0 speaks for all; who that is may be known only after `start`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import distributed

from monitor.store.runs import read_run, run_ids
from tests.trainer_hooks.conftest import Start
from tests.trainer_hooks.mail import Mail, eventually
from trainer_hooks.ranks import LAUNCHER_VARIABLES, Rank

W = {"w": np.ones(2)}


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Begins a process group of one, which says that it is rank 1."""

    def begin() -> None:
        distributed.init_process_group(
            "gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1
        )
        monkeypatch.setattr(distributed, "get_rank", lambda: 1)

    yield begin
    if distributed.is_initialized():
        distributed.destroy_process_group()


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"RANK": "3", "LOCAL_RANK": "0"}, 3),
        ({"RANK": "0", "SLURM_PROCID": "5"}, 0),
        ({"OMPI_COMM_WORLD_RANK": "2", "SLURM_PROCID": "0"}, 2),
        ({"PMI_RANK": "4"}, 4),
        ({"SLURM_PROCID": "5", "LOCAL_RANK": "1"}, 5),
        ({"LOCAL_RANK": "1"}, 1),
        ({"RANK": "", "LOCAL_RANK": "one"}, 0),
        ({"RANK": "-1"}, 0),
        ({"SQD_RANK": "0", "RANK": "3"}, 0),
        ({"SQD_RANK": "1", "RANK": "0"}, 1),
    ],
)
def test_launchers_tell_the_rank(environment: dict[str, str], rank: int) -> None:
    assert Rank(environment).number == rank


def test_process_group_is_believed_as_soon_as_it_is_there(group: Any) -> None:
    told, forced = Rank({"RANK": "0"}), Rank({"SQD_RANK": "0"})
    assert told.number == 0
    group()
    assert (told.number, forced.number) == (1, 0)


def test_torch_without_distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "is_available", lambda: False)
    monkeypatch.delattr(distributed, "is_initialized")
    assert Rank({"RANK": "2"}).number == 2


@pytest.mark.parametrize("variable", LAUNCHER_VARIABLES)
def test_other_ranks_do_nothing_and_register_nothing(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    run = start("demo", redis_url=mail.redis_url, samples=2, samples_every=1)
    run.push_weights(0, G=W, scalars={"loss": 1.0})
    run.push_weights("nonsense", G=3)  # type: ignore[arg-type]
    run.push_samples(0, lambda n: 1 / 0)
    run.finish()
    assert run.dropped == {}
    assert mail.store.data.keys("sqd:*run*") == []
    assert not run.settings.home.exists()


def test_rank_that_is_told_after_start_registers_nothing(
    start: Start, mail: Mail, group: Any
) -> None:
    run = start("demo", redis_url=mail.redis_url)
    group()
    run.push_weights(0, G=W)
    # Many leave the group before they end: what was another rank's stays so.
    distributed.destroy_process_group()
    run.finish()
    assert run_ids(mail.store) == []


def test_shards_are_pushed_from_every_rank(
    start: Start, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start("demo", redis_url=mail.redis_url)
    monkeypatch.setenv("RANK", "1")
    second = start("demo", redis_url=mail.redis_url)
    for step in range(2):
        first.push_weights(step, G=W, shard=(0, 2))
        second.push_weights(step, G=W, shard=(1, 2))
        second.push_weights(step, G=W, scalars={"loss": 1.0})
    first.finish()
    second.finish()
    assert run_ids(mail.store) == ["demo"]
    assert mail.pairs("demo", "G") == [(1, 0, 1)] * 2
    assert mail.scalars("demo") == {}


def test_run_that_only_fails_is_shown_with_its_drops(start: Start, mail: Mail) -> None:
    run = start("demo", redis_url=mail.redis_url)
    run.push_weights("nonsense", G=W)  # type: ignore[arg-type]
    eventually(lambda: run_ids(mail.store))
    run.finish()
    assert read_run(mail.store, "demo").drops == {"bad_call": 1}
