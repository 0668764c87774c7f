"""A run comes back from its archive bit for bit, or not at all."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import ArchiveError, StoreUnavailableError, UnknownRunError
from monitor.store.archive import staging, writing
from monitor.store.archive.parts import part_of, type_of
from monitor.store.archive.writing import archive_run
from monitor.store.connection import Store, text
from monitor.store.jobs import JobQueue
from monitor.store.retention import kept_runs
from monitor.store.runs import delete_run, read_run, run_ids
from monitor.store.weight_parts import PointId
from tests.store.archive.conftest import Ended, restored
from tests.store.every_key import content, durable, fill_every_key
from tests.store.posting import Trainer, claimed, entries, finish, keys_of
from trainer_hooks import keys

#: Keys of the run that the fixture makes.
KEYS = 600


@pytest.mark.parametrize("run", ["demo", "a b:c*[x]?%\\é😀{0}<img onerror>"])
def test_run_comes_back_bit_for_bit(store: Store, ended: Ended, tmp_path: Path, run: str) -> None:
    for name in ("older", run, "newer"):
        ended(name)
    # How long what expires still has is another number each time.
    for key in store.data.keys(f"{keys.of_run(run, 'parts')}:*"):
        store.data.persist(key)
    # It may run out at any moment.
    store.data.delete(keys.watch_lease(0))
    before, order, record = content(store, run), run_ids(store), read_run(store, run)
    assert len(before) > KEYS
    archived = archive_run(store, run, tmp_path / "file")
    assert (archived.keys, archived.nbytes) == (len(before) - 1, (tmp_path / "file").stat().st_size)
    assert content(store, run) == before
    delete_run(store, run)
    others = keys_of(store)
    assert restored(store, tmp_path / "file").id == run
    assert content(store, run) == before
    assert run_ids(store) == order
    again = read_run(store, run)
    assert (again.latest, again.alerts, again.drops) == (record.latest, record.alerts, record.drops)
    own = {key for key in keys_of(store) if key.startswith(keys.run_pattern(run)[:-1])}
    assert keys_of(store) == others | own | {keys.kept(0)}
    # The same run is the same file.
    archive_run(store, run, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "file").read_bytes()


def test_what_expires_still_does(store: Store, ended: Ended, tmp_path: Path) -> None:
    (part,) = store.data.keys(keys.of_run(ended("demo"), "parts:*"))
    assert store.data.pttl(part) > 0
    path = tmp_path / "file"
    archive_run(store, "demo", path)
    delete_run(store, "demo")
    restored(store, path)
    assert 0 < store.data.pttl(part) <= 24 * 3600 * 1000
    assert store.data.ttl(keys.meta("demo")) == -1


def test_archive_knows_every_key_of_a_run(store: Store) -> None:
    """A key that is new in `trainer_hooks.keys` needs its type in `archive.parts`."""
    fill_every_key(store, "demo")
    for key in durable("demo"):
        assert type_of(part_of(key)) == text(store.data.type(key))
    with pytest.raises(ArchiveError, match="'nonsense'"):
        type_of("nonsense")


def test_imported_run_is_kept_and_told_of(store: Store, archive: Path) -> None:
    delete_run(store, "demo")
    restored(store, archive)
    assert kept_runs(store, ["demo"]) == {"demo"}
    told = entries(store, keys.shard_events(0))[-1]
    assert told[b"data"] == b'{"run": "demo", "status": "finished"}'


def test_imported_run_can_be_resumed(store: Store, archive: Path) -> None:
    delete_run(store, "demo")
    restored(store, archive)
    trainer = Trainer(store, "demo", resume=True)
    trainer.scalars([0.5])
    assert [segment.ordinal for segment in read_run(store, "demo").segments] == [0, 1]


def test_name_in_use_is_refused(store: Store, archive: Path) -> None:
    before = content(store, "demo")
    with pytest.raises(ArchiveError, match="a run is called 'demo' already"):
        restored(store, archive)
    assert content(store, "demo") == before


def test_name_taken_during_the_import_is_refused(
    store: Store, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_run(store, "demo")
    before: list[set[str]] = []
    publish = staging.Staging.publish

    def late(self: staging.Staging, listed: float) -> None:
        Trainer(store, "demo")
        before.append(keys_of(store))
        publish(self, listed)

    monkeypatch.setattr(staging.Staging, "publish", late)
    with pytest.raises(ArchiveError, match="a run is called 'demo' already"):
        restored(store, archive)
    assert keys_of(store) == {key for key in before[0] if ":import:" not in key}
    assert read_run(store, "demo").latest == {}


def test_staged_key_that_expired_is_noticed(
    store: Store, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_run(store, "demo")
    publish = staging.Staging.publish

    def late(self: staging.Staging, listed: float) -> None:
        self._flush()
        (key,) = store.data.keys("sqd:{0}:import:*:alerts")
        store.data.delete(key)
        publish(self, listed)

    monkeypatch.setattr(staging.Staging, "publish", late)
    before = keys_of(store)
    with pytest.raises(ArchiveError, match="took over"):
        restored(store, archive)
    assert keys_of(store) == before


def test_redis_that_goes_away_leaves_nothing_visible(
    store: Store, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_run(store, "demo")
    before = keys_of(store)

    def away(self: staging.Staging) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(staging.Staging, "_flush", away)
    with pytest.raises(StoreUnavailableError):
        restored(store, archive)
    assert keys_of(store) == before


#: Archives, and stands still in the middle.
ARCHIVER = """
import sys
from pathlib import Path
from monitor.store.archive import writing
from monitor.store.connection import open_store

write_key = writing._write_key
def stands(store, run, part, writer):
    if part == "rows":
        print("stands", flush=True)
        sys.stdin.read()
    return write_key(store, run, part, writer)
writing._write_key = stands
writing.archive_run(open_store(sys.argv[1]), "demo", Path(sys.argv[2]))
"""


def killed(program: str, *arguments: str) -> None:
    """Run a program until it says that it stands, and kill it."""
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stands\n"
        os.kill(process.pid, signal.SIGKILL)


def test_killed_archive_is_no_file(store: Store, archive: Path) -> None:
    target = archive.parent / "target"
    killed(ARCHIVER, store.redis_url, str(target))
    assert not target.exists()
    archive_run(store, "demo", target)
    delete_run(store, "demo")
    assert restored(store, target).id == "demo"


#: Imports, and stands still before a write to Redis, the first argument says which.
IMPORTER = """
import sys
from pathlib import Path
from monitor.cli.import_ import SHOW
from monitor.store.archive import staging
from monitor.store.archive.importing import import_run
from monitor.store.connection import open_store

url, path, stop = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
staging.FLUSH_COMMANDS = 100
flush, flushes = staging.Staging._flush, []
def counted(self):
    if len(flushes) == stop:
        print("stands", flush=True)
        sys.stdin.read()
    flushes.append(1)
    flush(self)
staging.Staging._flush = counted
import_run(open_store(url), path, SHOW)
"""


@pytest.mark.parametrize("stop", [0, 1, 5, 12])
def test_killed_import_leaves_nothing_visible(store: Store, archive: Path, stop: int) -> None:
    whole = content(store, "demo")
    delete_run(store, "demo")
    before = keys_of(store)
    killed(IMPORTER, store.redis_url, str(archive), str(stop))
    staged = keys_of(store) - before
    assert bool(staged) == bool(stop)
    # What is there expires, and nobody sees it.
    assert all(0 < store.data.ttl(key) <= staging.STAGED_TTL_S for key in staged)
    assert run_ids(store) == []
    with pytest.raises(UnknownRunError):
        read_run(store, "demo")
    restored(store, archive)
    assert content(store, "demo") == whole


def test_running_run_is_refused(store: Store, ended: Ended, tmp_path: Path) -> None:
    Trainer(store, "busy").beat()
    with pytest.raises(ArchiveError, match="'busy' is running: ask its trainer to stop"):
        archive_run(store, "busy", tmp_path / "file")
    with pytest.raises(UnknownRunError, match="'absent'"):
        archive_run(store, "absent", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_run_whose_jobs_wait_is_refused(
    store: Store, queue: JobQueue, ended: Ended, tmp_path: Path
) -> None:
    ended("demo")
    trainer = Trainer(store, "demo", resume=True)
    trainer.scalars([0.0])
    trainer.beat(finished=True)
    with pytest.raises(ArchiveError, match="1 jobs or points of run 'demo' wait for a worker"):
        archive_run(store, "demo", tmp_path / "file")
    queue.dismiss(claimed(queue))
    ranks = Trainer(store, "ranks")
    ranks.beat(finished=True)
    point = PointId("ranks", ranks.segment, "G", 0, 7)
    store.data.zadd(keys.waiting_points(0), {point.name: 1})
    with pytest.raises(ArchiveError, match="1 jobs or points of run 'ranks'"):
        archive_run(store, "ranks", tmp_path / "file")
    archive_run(store, "demo", tmp_path / "file")


def test_run_that_changes_meanwhile_is_refused(
    store: Store, queue: JobQueue, ended: Ended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended("demo")
    write_key = writing._write_key

    def late(store: Store, run: str, part: str, writer: Any) -> bool:
        if part == "rows":
            finish(queue, Trainer(store, "demo", resume=True), [0], [0], {})
        return write_key(store, run, part, writer)

    monkeypatch.setattr(writing, "_write_key", late)
    with pytest.raises(ArchiveError, match="'demo' changed while it was archived"):
        archive_run(store, "demo", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_overwritten_and_no_part_is_left(store: Store, archive: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(ArchiveError, match="exists; choose another file with -o"):
        archive_run(store, "demo", archive)
    assert archive.read_bytes() == before
    with pytest.raises(ArchiveError, match="cannot be written: No such file"):
        archive_run(store, "demo", archive.parent / "absent" / "file")
    assert list(archive.parent.iterdir()) == [archive]
