"""`sqd sync`: what it sends, skips and refuses, in one line each."""

from collections.abc import Callable
from pathlib import Path

import pytest

import trainer_hooks
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from monitor.store.runs import run_ids
from tests.cli.conftest import Result, Sqd

Sync = Callable[..., Result]


@pytest.fixture
def sync(sqd: Sqd, store: Store, embedded: EmbeddedRedis, tmp_path: Path) -> Sync:
    """Runs the command on a home of its own against the tests' Redis."""
    options = ("--redis-url", embedded.redis_url, "--home", str(tmp_path))
    return lambda *arguments: sqd("sync", *arguments, *options)


def offline(home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> trainer_hooks.Run:
    monkeypatch.setenv("SQD_HOME", str(home))
    run = trainer_hooks.start(name, mode="offline")
    for step in range(3):
        run.push_weights(step, scalars={"loss": 1.0})
    return run


def test_everything_is_sent_once(
    sync: Sync, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(tmp_path, "first", monkeypatch).finish()
    offline(tmp_path, "[red]second", monkeypatch).finish()
    result = sync()
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "first: 1 frames sent, 0.0 MiB",
        "[red]second: 1 frames sent, 0.0 MiB",
    ]
    assert set(run_ids(store)) == {"first", "[red]second"}
    assert sync().out == f"nothing to send in {tmp_path / 'spool'}\n"


def test_living_trainer_is_left_alone(
    sync: Sync, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = offline(tmp_path, "demo", monkeypatch)
    while not list((tmp_path / "spool").glob("*/about.json")):
        run.push_weights(9, scalars={"loss": 1.0})
    result = sync(str(tmp_path / "spool"))
    assert result.code == 0
    assert result.out.endswith("its trainer still runs and sends it itself\n")
    assert run_ids(store) == []
    run.finish()


def test_what_cannot_be_sent_is_said_and_stays(
    sync: Sync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(tmp_path, "good", monkeypatch).finish()
    offline(tmp_path, "bad", monkeypatch).finish()
    (bad,) = (tmp_path / "spool").glob("bad-*")
    (bad / "about.json").write_text("{}")
    result = sync()
    assert result.code == 1
    assert "good: 1 frames sent" in result.out
    assert result.err.splitlines() == [
        f"sqd: {bad}/about.json does not describe a run: KeyError('run')",
        "sqd: 1 of 2 spools were not sent; see above",
    ]
    assert list(bad.glob("weights-*"))


def test_folder_that_is_none(sync: Sync, tmp_path: Path) -> None:
    result = sync(str(tmp_path / "nowhere"))
    assert (result.code, result.err) == (1, f"sqd: {tmp_path / 'nowhere'} is no folder\n")


def test_nobody_says_where_redis_is(
    sqd: Sqd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(tmp_path, "demo", monkeypatch).finish()
    result = sqd("sync", "--home", str(tmp_path))
    assert result.code == 1
    assert result.err.startswith("sqd: no Redis is known")
