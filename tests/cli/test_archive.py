"""`sqd archive`, `sqd import`, `sqd keep`."""

from pathlib import Path

import pytest

from monitor.store.connection import Store
from monitor.store.limits import NONE_OWN, OwnLimits, limits_of
from monitor.store.retention import kept_runs
from monitor.store.runs import delete_run, run_ids
from tests.cli.conftest import Sqd
from tests.store.posting import Trainer


def test_there_and_back(
    store: Store, sqd: Sqd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = ("--redis-url", store.redis_url)
    Trainer(store, "a b[red]").beat(finished=True)
    result = sqd("archive", "a b[red]", *url)
    assert (result.code, result.out) == (0, "")
    assert result.err == "wrote a b[red].sqdrun (2 keys, 0.0 MiB)\n"
    assert sqd("archive", "a b[red]", "-o", "other", *url).code == 0
    result = sqd("archive", "a b[red]", *url)
    assert (result.code, result.err) == (
        1, "sqd: a b[red].sqdrun exists; choose another file with -o\n",
    )  # fmt: skip
    result = sqd("import", "other", *url)
    assert result.code == 1
    assert "a run is called 'a b[red]' already" in result.err
    delete_run(store, "a b[red]")
    result = sqd("import", "other", *url)
    assert (result.code, result.err) == (0, "")
    assert result.out == "imported a b[red]: no limit removes it, until `sqd keep --off`\n"
    assert run_ids(store) == ["a b[red]"]


def test_errors_are_one_line(store: Store, sqd: Sqd, tmp_path: Path) -> None:
    url = ("--redis-url", store.redis_url)
    Trainer(store, "busy").beat()
    (tmp_path / "text").write_text("hello")
    for arguments, said in (
        (("archive", "absent"), "no run is called 'absent'"),
        (("archive", "busy"), "run 'busy' is running"),
        (("import", str(tmp_path / "text")), "no archive of a run"),
        (("import", str(tmp_path / "absent")), "cannot be read"),
        (("keep", "absent"), "no run is called 'absent'"),
    ):
        result = sqd(*arguments, *url)
        assert (result.code, result.out) == (1, "")
        (line,) = result.err.splitlines()
        assert said in line


def test_keep_and_off(store: Store, sqd: Sqd) -> None:
    url = ("--redis-url", store.redis_url)
    Trainer(store, "demo")
    assert sqd("keep", "demo", *url).out == "demo: no limit removes it\n"
    assert kept_runs(store, ["demo"]) == {"demo"}
    assert sqd("keep", "demo", "--off", *url).out == "demo: limits apply again\n"
    assert kept_runs(store, ["demo"]) == set()


def test_own_limits(store: Store, sqd: Sqd) -> None:
    url = ("--redis-url", store.redis_url)
    Trainer(store, "demo")
    result = sqd("keep", "demo", "--days", "90", "--bytes", "2000000", *url)
    assert (result.code, result.out) == (0, "demo: days 90.0, bytes 2000000\n")
    assert limits_of(store, "demo") == OwnLimits(90, 2_000_000, None)
    sqd("keep", "demo", *url)
    said = "demo: grids 100; but it is marked, no limit removes it\n"
    assert sqd("keep", "demo", "--grids", "100", *url).out == said
    assert limits_of(store, "demo") == OwnLimits(grids=100)
    assert sqd("keep", "demo", "--off", *url).out == "demo: limits apply again\n"
    assert limits_of(store, "demo") == NONE_OWN
    for arguments, said in (
        (("--grids", "9"), "--grids"),
        (("--days", "-1"), "--days"),
        (("--off", "--days", "1"), "--off takes limits back"),
    ):
        result = sqd("keep", "demo", *arguments, *url)
        assert (result.code, said in result.err) == (2, True)
    assert "no run is called 'absent'" in sqd("keep", "absent", "--days", "1", *url).err
