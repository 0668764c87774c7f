"""The spool: bounded, in order, what is least worth goes first, and every loss is counted."""

import errno
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_hooks import spool as spool_module
from trainer_hooks import spool_files, spool_log
from trainer_hooks.outgoing import Outgoing, samples_outgoing, weights_outgoing
from trainer_hooks.sketch import BUCKETS
from trainer_hooks.spool import Spool, folder_of
from trainer_hooks.wire import Frame

KIB = 1024
MOST = 4096 * KIB


def weights(row: int, width: int = 8, *, pushes: int = 1) -> Outgoing:
    """A frame with a scalar and a pair of snapshots of one network."""
    tensors = {
        "row.seq": np.arange(row + 1 - pushes, row + 1),
        "row.step": np.arange(row + 1 - pushes, row + 1) * 10,
        "row.epoch": np.full(pushes, np.nan),
        "row.time": np.ones(pushes),
        "network.0.snapshots": np.full((2, width), row, np.float32),
        "network.0.pairs": np.array([[0, 1, 0, 0, 1]]),
        "scalar.0.row": np.array([0]),
        "scalar.0.value": np.array([row / 2]),
    }
    entry = {"name": "G", "index": 0, "form": "full", "seed": 0, "tensors": [["w", width, width]]}
    header = {"networks": [entry], "scalars": ["loss"], "failures": []}
    return weights_outgoing(Frame("weights", header, tensors), pushes)


def heavy(row: int) -> Outgoing:
    return weights(row, BUCKETS + 1)


def samples(batch: int, part: int = 0, n: int = 4) -> Outgoing:
    header = {"seq": batch, "step": batch, "part": part, "last": False}
    return samples_outgoing(
        Frame("samples", header, {"samples": np.full((n, 1, 8, 8), batch, "B")})
    )


class Desk:
    """A spool and what it counts."""

    def __init__(self, folder: Path, most_bytes: int = MOST) -> None:
        self.lost: Counter[str] = Counter()
        self.folder = folder
        self._most_bytes = most_bytes
        self.spool = self._open()

    def again(self) -> Spool:
        """As the next process finds it."""
        self.spool.close()
        self.spool = self._open()
        return self.spool

    def rows(self) -> list[int]:
        """Rows of all weights frames, taken out."""
        return [outgoing.last_row for outgoing in self.drained("weights")]

    def drained(self, kind: Any) -> Iterator[Outgoing]:
        """All frames of a kind, taken out."""
        while outgoing := self.spool.first(kind):
            assert self.spool.remove(outgoing)
            yield outgoing

    def _open(self) -> Spool:
        def count(reason: str, amount: int) -> None:
            self.lost[reason] += amount

        return Spool(self.folder, self._most_bytes, count, lambda: {"run": "demo"})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "spool")
    yield made
    made.spool.close()


def assert_equal(one: Outgoing, other: Outgoing) -> None:
    assert (one.kind, one.key, one.first_row, one.last_step, one.amount) == (
        other.kind,
        other.key,
        other.first_row,
        other.last_step,
        other.amount,
    )
    assert one.frame.tensors.keys() == other.frame.tensors.keys()
    for name, tensor in one.frame.tensors.items():
        np.testing.assert_array_equal(tensor, other.frame.tensors[name])
    for key in ("networks", "scalars", "failures", "seq", "part"):
        assert one.frame.header.get(key) == other.frame.header.get(key)


def test_frames_come_back_as_they_were(desk: Desk) -> None:
    added = [weights(4, pushes=3), heavy(5), samples(0), samples(0, 1), samples(3)]
    for outgoing in added:
        desk.spool.add(outgoing)
    for found, outgoing in zip(
        [*desk.drained("weights"), *desk.drained("samples")], added, strict=True
    ):
        assert_equal(found, outgoing)
    assert desk.spool.empty
    assert desk.spool.nbytes == 0


def test_nothing_is_on_disk_before_something_must_be(desk: Desk) -> None:
    assert desk.spool.empty
    assert not desk.folder.exists()
    desk.again()
    assert not desk.folder.exists()


def test_folder_goes_when_all_was_sent_and_stays_otherwise(desk: Desk) -> None:
    desk.spool.add(weights(0))
    assert desk.folder.stat().st_mode & 0o077 == 0
    assert desk.again().about() == {"run": "demo"}
    assert desk.rows() == [0]
    desk.spool.claim()
    desk.again()
    assert not desk.folder.exists()


def test_only_the_oldest_is_removed(desk: Desk) -> None:
    desk.spool.add(weights(0))
    desk.spool.add(weights(1))
    assert not desk.spool.remove(weights(1))
    assert desk.rows() == [0, 1]
    assert not desk.spool.remove(weights(1))


def test_snapshots_go_first_then_samples_then_the_oldest_of_the_rest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_log, "FILE_BYTES", 200 * KIB)
    for number in range(4):
        desk.spool.add(heavy(number))
        desk.spool.add(samples(number, n=4 * KIB))  # 256 KiB
    before = desk.spool.nbytes
    assert 3 * 1024 * KIB < before < MOST
    row = 4
    while desk.lost["spool.snapshots"] < 4:
        desk.spool.add(weights(row, 20 * KIB))
        row += 1
        assert desk.spool.nbytes <= MOST
    assert set(desk.lost) == {"spool.snapshots"}
    while desk.lost["spool.samples"] < 4 * 4 * KIB:
        desk.spool.add(weights(row, 20 * KIB))
        row += 1
        assert desk.spool.nbytes <= MOST
    assert set(desk.lost) == {"spool.snapshots", "spool.samples"}
    while desk.lost["spool.weights"] < 10:
        desk.spool.add(weights(row, 20 * KIB))
        row += 1
        assert desk.spool.nbytes <= MOST
    assert desk.rows() == list(range(desk.lost["spool.weights"], row))


def test_scalars_stay_when_their_snapshots_went(desk: Desk) -> None:
    for number in range(10):
        desk.spool.add(heavy(number))
    assert desk.lost["spool.snapshots"] == 3
    found = list(desk.drained("weights"))
    assert [one.last_row for one in found] == list(range(10))
    assert [len(one.frame.header["networks"]) for one in found] == [0] * 3 + [1] * 7
    assert all(one.frame.tensors["scalar.0.value"] == one.last_row / 2 for one in found)


def test_snapshots_are_not_worth_the_disk_while_the_worker_is_behind(desk: Desk) -> None:
    desk.spool.add(heavy(0), heavy=False)
    assert desk.lost == {"behind.snapshots": 1}
    (found,) = desk.drained("weights")
    assert found.frame.header["networks"] == []
    assert desk.folder.exists()


def test_long_outage_does_not_write_the_disk_full_of_snapshots(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [0.0]
    size = heavy(0).nbytes
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(spool_module, "HEAVY_BURST_BYTES", 2 * size)
    monkeypatch.setattr(spool_module, "HEAVY_BYTES_S", size // 10)
    fresh = Desk(desk.folder)
    for number in range(40):
        fresh.spool.add(heavy(number))
        now_s[0] += 1.0
    kept = [bool(one.frame.header["networks"]) for one in fresh.drained("weights")]
    assert kept[:2] == [True, True]
    assert 4 <= sum(kept) <= 6
    assert fresh.lost["spool.snapshots"] == 40 - sum(kept)
    fresh.spool.close()


def test_number_of_files_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_files, "MOST_FILES", 5)
    for number in range(8):
        desk.spool.add(samples(number))
        desk.spool.add(heavy(number)) if number < 3 else None
    assert len(list(desk.folder.glob("samples-*"))) <= 5
    left = [one.last_row for one in desk.drained("samples")]
    assert left == list(range(8 - len(left), 8))
    assert desk.lost["spool.samples"] == 4 * (8 - len(left))


def test_file_that_is_no_frame_costs_itself(desk: Desk) -> None:
    desk.spool.add(heavy(0))
    desk.spool.add(weights(1))
    desk.spool.add(samples(0))
    desk.spool.add(samples(1))
    for path in [*desk.folder.glob("heavy-*"), *desk.folder.glob("samples-000000000000-*")]:
        path.write_bytes(path.read_bytes()[:-1])
    desk.again()
    assert desk.rows() == [1]
    assert [one.last_row for one in desk.drained("samples")] == [1]
    assert desk.lost == {"torn.weights": 1, "torn.samples": 1}


def test_killed_amid_a_write_leaves_no_half_frame(desk: Desk) -> None:
    desk.spool.add(samples(0))
    (desk.folder / "samples-000000000001-000000.new").write_bytes(b"half")
    desk.again()
    assert [one.last_row for one in desk.drained("samples")] == [0]


def test_disk_that_refuses_says_so_and_adds_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.spool.add(weights(0))
    desk.spool.add(samples(0))
    original = Path.write_bytes

    def refuse(path: Path, data: bytes) -> int:
        original(path, data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    for outgoing in (samples(1), heavy(1)):
        with pytest.raises(OSError, match="No space"):
            desk.spool.add(outgoing)
    monkeypatch.undo()
    assert not list(desk.folder.glob("*.new"))
    assert [one.last_row for one in desk.drained("samples")] == [0]
    assert desk.rows() == [0]


def test_folder_of_a_living_process_is_not_ours(desk: Desk) -> None:
    desk.spool.add(weights(0))
    other = Spool(desk.folder, MOST, lambda *_: None)
    assert not other.claim()
    other.close()
    assert desk.rows() == [0]


def test_look_at_a_living_folder_removes_nothing(desk: Desk) -> None:
    desk.spool.add(weights(0))
    desk.spool.add(samples(0))
    (path,) = desk.folder.glob("weights-*.log")
    whole = path.read_bytes()
    # As another process may find it: nothing of the next record is there but its beginning.
    path.write_bytes(whole[:20])
    before = sorted(desk.folder.iterdir())
    other = Spool(desk.folder, MOST, lambda *_: None)
    assert not other.claim()
    other.close()
    assert sorted(desk.folder.iterdir()) == before
    path.write_bytes(whole)
    assert desk.rows() == [0]
    assert len(list(desk.drained("samples"))) == 1
    other = Spool(desk.folder, MOST, lambda *_: None)
    assert not other.claim()
    other.close()
    assert (desk.folder / "about.json").exists()


def test_folder_of_a_second_outage_is_described_like_the_first(desk: Desk) -> None:
    desk.spool.add(weights(0))
    assert desk.rows() == [0]
    desk.spool.close()
    assert not desk.folder.exists()
    desk.spool.add(weights(1))
    assert desk.spool.about() == {"run": "demo"}
    assert desk.rows() == [1]


def test_folder_that_somebody_removed_costs_what_was_in_it(desk: Desk) -> None:
    desk.spool.add(weights(0))
    desk.spool.add(samples(0))
    shutil.rmtree(desk.folder)
    assert desk.spool.first("weights") is None
    assert desk.spool.first("samples") is None
    assert desk.lost == {"torn.weights": 1, "torn.samples": 1}
    desk.spool.add(weights(1))
    assert desk.rows() == [1]


def test_folders_are_named_by_run_and_segment(tmp_path: Path) -> None:
    assert folder_of(tmp_path, "a/b ü", "abc").name == "a%2Fb%20%C3%BC-abc"
    assert len(folder_of(tmp_path, "ü" * 128, "abc").name) == 104


def test_disk_that_lets_nothing_go_keeps_files_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    counted: list[str] = []
    spool = Spool(tmp_path / "spool", MOST, lambda reason, amount: counted.append(reason))
    sent = [heavy(0), weights(1), samples(0), samples(1)]
    for outgoing in sent:
        spool.add(outgoing)
    monkeypatch.setattr(Path, "unlink", refuse)
    assert [spool.remove(outgoing) for outgoing in sent] == [True] * 4
    assert (spool.empty, spool.nbytes, counted) == (True, 0, [])
