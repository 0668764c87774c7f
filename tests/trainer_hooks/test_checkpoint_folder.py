"""Checkpoints on disk: whole, in order, pinned ones for ever; and taken over by a later process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer_hooks.checkpoint_folder import BOOK, CheckpointFolder, folder_for, folder_of_earlier
from trainer_hooks.errors import CheckpointError


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


def filled(folder: Path, steps: list[int]) -> CheckpointFolder:
    made = CheckpointFolder(folder)
    for step in steps:
        made.add(step, ".pt", text(str(step)))
    return made


def steps(folder: CheckpointFolder) -> list[int]:
    return [taken.step for taken in folder.taken]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("step-"))


def test_newest_are_kept_and_pinned_ones_beside_them(tmp_path: Path) -> None:
    folder = filled(tmp_path, [10, 20])
    folder.pin(folder.taken[0], {"id": "a"})
    for step in (30, 40, 50):
        folder.add(step, ".pt", text("x"))
        folder.prune(2)
    assert steps(folder) == [10, 40, 50]
    assert files(tmp_path) == [
        "step-000000000010-000001.pt", "step-000000000040-000004.pt", "step-000000000050-000005.pt",
    ]  # fmt: skip
    assert folder.taken[0].path.read_text() == "10"


def test_newest_before_a_step_is_that_of_the_present_branch(tmp_path: Path) -> None:
    folder = filled(tmp_path, [10, 20, 30, 40])
    found = [folder.before(step) for step in (10, 11, 20, 31, 99)]
    assert [taken and taken.step for taken in found] == [None, 10, 10, 30, 40]
    # The training went back to 20, and takes another 30.
    folder.add(30, ".pt", text("again"))
    found = [folder.before(step) for step in (29, 31, 99)]
    assert [taken and taken.path.read_text() for taken in found] == ["20", "again", "again"]
    assert steps(folder) == [10, 20, 30, 40, 30]
    folder.prune(2)
    assert steps(folder) == [40, 30]


def test_removed_by_hand_is_not_found_and_makes_room(tmp_path: Path) -> None:
    folder = filled(tmp_path, [10, 20])
    folder.pin(folder.taken[1], {"id": "a"})
    folder.taken[1].path.unlink()
    before = folder.before(30)
    assert before is not None
    assert before.step == 10
    assert folder.pinned() == []


def fail(path: Path) -> None:
    path.write_text("half of it")
    raise RuntimeError("disk on fire")


def interrupt(path: Path) -> None:
    path.write_text("half of it")
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("save", "error"),
    [
        (fail, RuntimeError),
        (interrupt, KeyboardInterrupt),
        (lambda path: None, CheckpointError),
        (lambda path: Path(f"{path}.npz").write_text("elsewhere"), CheckpointError),
    ],
)
def test_save_that_fails_leaves_nothing(
    tmp_path: Path, save: Callable[[Path], object], error: type[BaseException]
) -> None:
    folder = filled(tmp_path, [10])
    with pytest.raises(error):
        folder.add(20, ".pt", save)
    assert steps(folder) == [10]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "lock", "step-000000000010-000001.pt",
    ]  # fmt: skip


def test_checkpoint_may_be_a_folder(tmp_path: Path) -> None:
    def save(path: Path) -> None:
        path.mkdir()
        (path / "part").write_text("x")

    folder = CheckpointFolder(tmp_path)
    for step in (1, 2):
        folder.add(step, "", save)
    assert (folder.taken[0].path / "part").read_text() == "x"
    folder.prune(1)
    assert files(tmp_path) == ["step-000000000002-000002"]


def test_later_process_takes_over_what_is_there(tmp_path: Path) -> None:
    first = filled(tmp_path, [10, 20, 30, 20])
    first.run = "demo"
    first.seen = ["a", "b"]
    first.pin(first.taken[0], {"id": "a", "kind": "quality", "secret": "not kept"})
    first.tell()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "step-000000000040-000005.pt").write_text("half")
    (tmp_path / "step-by-step.txt").write_text("not ours")
    first.close()
    second = CheckpointFolder(tmp_path)
    assert [(t.number, t.step, t.hidden) for t in second.taken] == [
        (1, 10, False), (2, 20, True), (3, 30, True), (4, 20, False),
    ]  # fmt: skip
    assert (second.run, second.seen) == ("demo", ["a", "b"])
    pinned = second.pin_of("a")
    assert pinned is not None
    assert pinned.step == 10
    assert pinned.alerts[0]["kind"] == "quality"
    assert "secret" not in pinned.alerts[0]
    assert not (tmp_path / "new").exists()
    assert second.add(40, ".pt", text("x")).number == 5


def test_folder_is_of_one_process_at_a_time(tmp_path: Path) -> None:
    first = CheckpointFolder(tmp_path)
    with pytest.raises(CheckpointError, match="another process"):
        CheckpointFolder(tmp_path)
    first.close()
    first.close()
    CheckpointFolder(tmp_path).close()


def test_resumed_run_finds_the_folder_of_its_newest_dead_process(tmp_path: Path) -> None:
    assert folder_of_earlier(tmp_path, "demo") is None
    for age, (run, segment) in enumerate([("demo", "c"), ("demo", "b"), ("other", "a")]):
        made = CheckpointFolder(folder_for(tmp_path, run, segment))
        made.run = run
        made.tell()
        os.utime(made.folder / BOOK, (1e9 - age, 1e9 - age))
        made.close()
    found = folder_of_earlier(tmp_path, "demo")
    assert found is not None
    assert found.folder == folder_for(tmp_path, "demo", "c")
    # It lives now: the next is the one before it.
    other = folder_of_earlier(tmp_path, "demo")
    assert other is not None
    assert other.folder == folder_for(tmp_path, "demo", "b")
    assert folder_of_earlier(tmp_path, "demo") is None


BOOKS = [
    "", "{", "[]", "3", '"x"', '{"run": "demo", "seen": []}',
    '{"run": "demo", "seen": [], "pins": 3}',
    '{"run": "demo", "seen": [], "pins": [{"number": "x", "alerts": []}]}',
    '{"run": "demo", "seen": [], "pins": [{"number": 1, "alerts": [3]}]}',
]  # fmt: skip


@pytest.mark.parametrize("book", BOOKS)
def test_book_that_is_none_is_refused_and_keeps_no_lock(tmp_path: Path, book: str) -> None:
    folder = folder_for(tmp_path, "demo", "a")
    folder.mkdir(parents=True)
    (folder / BOOK).write_text(book)
    for _ in range(2):
        with pytest.raises(CheckpointError, match=r"pins\.json cannot be read"):
            CheckpointFolder(folder)
    assert folder_of_earlier(tmp_path, "demo") is None


#: Saves for ever, in two writes each, and says when it has begun.
SAVING = """
import sys, trainer_hooks.checkpoint_folder as c
from pathlib import Path
folder = c.CheckpointFolder(Path(sys.argv[1]))
def save(path):
    with path.open("w") as file:
        file.write("first half, ")
        file.flush()
        file.write("second half")
step = 0
while True:
    step += 1
    folder.add(step, ".pt", save)
    folder.prune(3)
    folder.tell()
    if step == 5: print("saving", flush=True)
"""


def test_killed_at_any_moment_leaves_whole_files(tmp_path: Path) -> None:
    for attempt in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", SAVING, str(tmp_path / str(attempt))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child.stdout:
            assert child.stdout.readline() == "saving\n"
        time.sleep(attempt * 0.0007)  # Another moment of its loop each time; none decides.
        child.send_signal(signal.SIGKILL)
        child.wait()
        folder = CheckpointFolder(tmp_path / str(attempt))
        assert 3 <= len(folder.taken) <= 4
        for taken in folder.taken:
            assert taken.path.read_text() == "first half, second half"
        folder.close()
