"""The ring: saves when due, pins what was taken before a change, never hurts the training."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainer_hooks.answers import Alert, Answer
from trainer_hooks.checkpoint_folder import CheckpointFolder
from trainer_hooks.checkpoint_settings import read_ring
from trainer_hooks.checkpoints import PINNING_KINDS, Checkpoints
from trainer_hooks.complaints import Complaints
from trainer_hooks.control import Control
from trainer_hooks.errors import CheckpointError, SettingError
from trainer_hooks.push_queue import PushQueue

DEFAULTS: dict[str, Any] = {
    "every": 10, "keep": 3, "pins": 2, "save": None, "load": None, "networks": None,
    "folder": None, "suffix": None,
}  # fmt: skip


class Ring:
    """A ring of a run without a sender; each file holds what was the state when it was saved."""

    def __init__(self, folder: Path, *, resumed: bool = False, **options: Any) -> None:
        self.folder = folder
        self.queue = PushQueue(2**20)
        self.control = Control(resumed=resumed)
        self.state = 0
        self.alerts: list[Alert] = []
        given = {"save": self.save, "load": self.load, **options}
        settings = read_ring(**{**DEFAULTS, **given})
        self.ring = Checkpoints(
            settings,
            lambda: CheckpointFolder(folder),
            lambda: True,
            self.control,
            Complaints(self.queue, strict=False),
            lambda: "demo",
        )

    def save(self, path: Path) -> None:
        path.write_text(str(self.state))

    def load(self, path: Path) -> None:
        self.state = int(path.read_text())

    def train(self, steps: range) -> None:
        for step in steps:
            self.state = step
            self.ring.save_if_due(step)

    def hear(self, step: int | None, kind: str = "turning_point", name: str = "") -> str:
        """An alert comes with a heartbeat: its id."""
        alert = {"id": name or f"{kind}-{step}", "kind": kind, "step": step, "message": "D fell"}
        self.alerts.append(alert)
        self.control.hear(Answer(0, tuple(self.alerts)))
        return str(alert["id"])

    @property
    def steps(self) -> list[int]:
        return [int(path.name.split("-")[1]) for path in sorted(self.folder.glob("step-*"))]

    @property
    def told(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.control.ring)["checkpoints"]
        return found

    @property
    def pinned(self) -> dict[int, list[str]]:
        return {each["step"]: each["alerts"] for each in self.told if each["alerts"]}


@pytest.fixture
def ring(tmp_path: Path) -> Ring:
    return Ring(tmp_path)


@pytest.mark.parametrize(
    ("steps", "saved"),
    [
        (range(0, 35), [10, 20, 30]),
        (range(1, 35), [10, 20, 30]),
        (range(7, 30, 7), [14, 21]),
        (range(15, 19), []),
        (range(0, 100, 50), [0, 50]),
    ],
)
def test_saved_when_due(tmp_path: Path, steps: range, saved: list[int]) -> None:
    ring = Ring(tmp_path)
    ring.train(steps)
    assert ring.steps == saved


def test_same_step_again_saves_once(ring: Ring) -> None:
    for _ in range(3):
        ring.ring.save_if_due(20)
    assert ring.steps == [20]


@pytest.mark.parametrize("kind", sorted(PINNING_KINDS))
def test_newest_before_the_change_is_pinned_and_stays(ring: Ring, kind: str) -> None:
    ring.train(range(1, 35))
    name = ring.hear(25, kind)
    ring.train(range(35, 200))
    assert ring.steps == [20, 170, 180, 190]
    assert ring.pinned == {20: [name]}


@pytest.mark.parametrize(("onset", "step"), [(21, 20), (20, 10), (30, 20), (31, 30), (999, 30)])
def test_checkpoint_of_the_changes_own_step_is_not_before_it(
    ring: Ring, onset: int, step: int
) -> None:
    ring.train(range(1, 35))
    ring.hear(onset)
    ring.train(range(35, 36))
    assert list(ring.pinned) == [step]


@pytest.mark.parametrize("kind", ["stability", "recovered", "trainer_lost", "restart", None])
def test_other_alerts_pin_nothing(ring: Ring, kind: Any) -> None:
    ring.train(range(1, 35))
    ring.hear(25, kind)
    ring.train(range(35, 36))
    assert ring.pinned == {}


def test_alert_that_comes_amid_a_save_finds_its_checkpoint_still_there(ring: Ring) -> None:
    """The oldest is removed after a save; what came meanwhile is looked at in the next call."""
    ring.train(range(1, 40))
    ring.hear(15)
    ring.train(range(40, 41))
    assert ring.pinned == {10: ["turning_point-15"]}
    assert ring.steps == [10, 20, 30, 40]


def test_alerts_of_one_event_share_a_checkpoint(ring: Ring) -> None:
    ring.train(range(1, 35))
    names = [ring.hear(25, kind) for kind in ("quality", "diversity", "turning_point")]
    ring.train(range(35, 99))
    assert ring.pinned == {20: names}


def test_pins_are_bounded_and_those_that_are_there_stay(
    ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    for onset in (15, 35, 55):
        ring.train(range(onset - 14, onset))
        ring.hear(onset)
    ring.train(range(60, 100))
    assert list(ring.pinned) == [10, 30]
    assert ring.steps == [10, 30, 70, 80, 90]
    assert "the checkpoint of step 50 is not pinned, 2 are: remove one from" in caplog.text
    # Who removes one makes room.
    next(ring.folder.glob("step-000000000010-*")).unlink()
    ring.hear(95)
    ring.train(range(100, 101))
    assert list(ring.pinned) == [30, 90]


def test_change_before_all_checkpoints_is_said(
    ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    ring.train(range(1, 70))
    ring.hear(15)
    ring.hear(None)
    ring.train(range(70, 71))
    assert ring.pinned == {}
    assert "no checkpoint from before step 15 is left: raise keep= or every=" in caplog.text


def test_save_that_fails_is_counted_said_once_and_tried_at_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [True]

    def save(path: Path) -> None:
        path.write_text("half")
        if broken[0]:
            raise OSError("no space left on device")

    ring = Ring(tmp_path, save=save)
    ring.train(range(1, 25))
    assert ring.steps == []
    assert ring.queue.dropped() == {"bad_checkpoint": 2}
    assert sum("no space left on device" in r.getMessage() for r in caplog.records) == 1
    broken[0] = False
    ring.train(range(25, 35))
    assert ring.steps == [30]


def test_folder_that_cannot_be_made_is_counted_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ring = Ring(tmp_path / "file" / "ring")
    ring.train(range(1, 25))
    assert ring.queue.dropped() == {"bad_checkpoint": 2}
    (tmp_path / "file").unlink()
    ring.train(range(25, 35))
    assert ring.steps == [30]


@pytest.mark.parametrize("step", [-1, 1.5, None, "one", float("nan")])
def test_wrong_steps_are_counted(ring: Ring, step: Any) -> None:
    ring.ring.save_if_due(step)
    assert ring.queue.dropped() == {"bad_call": 1}


def test_rewind_loads_what_was_pinned(ring: Ring) -> None:
    ring.train(range(1, 35))
    first = ring.hear(15)
    ring.train(range(35, 55))
    second = ring.hear(45)
    back = ring.ring.go_back(None)
    assert back is not None
    assert (back.step, ring.state, back.alert["id"]) == (40, 40, second)
    assert back.path.read_text() == "40"
    back = ring.ring.go_back(first)
    assert back is not None
    assert (back.step, ring.state, back.alert["message"]) == (10, 10, "D fell")


def test_after_a_rewind_the_ring_goes_on_from_there(ring: Ring) -> None:
    ring.train(range(1, 45))
    ring.hear(25)
    back = ring.ring.go_back(None)
    assert back is not None
    ring.train(range(21, 29))
    # Those of 30 and 40 belong to what was left: a change at 45 was after 20.
    ring.hear(45, name="late")
    ring.train(range(29, 30))
    assert ring.pinned == {20: ["turning_point-25", "late"]}
    ring.train(range(30, 75))
    ring.hear(65, name="again")
    ring.train(range(75, 76))
    assert ring.pinned == {20: ["turning_point-25", "late"], 60: ["again"]}
    assert ring.steps == [20, 50, 60, 70]


def test_rewind_without_a_load_only_says_where(tmp_path: Path) -> None:
    ring = Ring(tmp_path, load=None)
    ring.train(range(1, 35))
    ring.hear(25)
    back = ring.ring.go_back(None)
    assert back is not None
    assert (back.step, ring.state, back.path.read_text()) == (20, 34, "20")


def test_nothing_to_rewind_to(ring: Ring) -> None:
    with pytest.raises(CheckpointError, match="pinned for any alert"):
        ring.ring.go_back(None)
    ring.train(range(1, 35))
    ring.hear(25)
    with pytest.raises(CheckpointError, match="pinned for alert 'other'"):
        ring.ring.go_back("other")


def test_load_that_fails_leaves_the_ring_as_it_is(tmp_path: Path) -> None:
    ring = Ring(tmp_path, load=lambda path: 1 / 0)
    ring.train(range(1, 45))
    ring.hear(25)
    with pytest.raises(ZeroDivisionError):
        ring.ring.go_back(None)
    assert [each["hidden"] for each in ring.told] == [False] * len(ring.told)


def test_end_of_the_run_pins_what_came_last(ring: Ring) -> None:
    ring.train(range(1, 35))
    ring.hear(25)
    ring.ring.close()
    assert ring.pinned == {20: ["turning_point-25"]}
    CheckpointFolder(ring.folder).close()


def test_resumed_run_pins_for_an_alert_that_its_killed_process_did_not_hear(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Ring(tmp_path, keep=4)
    first.train(range(1, 45))
    known = first.hear(15)
    first.train(range(45, 46))
    first.ring.close()
    second = Ring(tmp_path, resumed=True, keep=4)
    long_ago: Alert = {"id": "long ago", "kind": "quality", "step": 5, "message": "Q fell"}
    second.alerts = [*first.alerts, long_ago]
    second.hear(35, name="missed")
    second.train(range(41, 52))
    assert second.pinned == {10: [known], 30: ["missed"]}
    assert second.control.fresh() == []
    assert "no checkpoint from before" not in caplog.text
    back = second.ring.go_back("missed")
    assert back is not None
    assert second.state == 30


def test_what_is_told_is_where_it_lies(ring: Ring) -> None:
    ring.train(range(1, 15))
    ((path,),) = [[*ring.folder.glob("step-*")]]
    assert ring.told == [{"step": 10, "path": str(path), "hidden": False, "alerts": []}]
    assert json.loads(ring.control.ring)["kinds"] == sorted(PINNING_KINDS)


BAD: dict[str, dict[str, Any]] = {
    "every is 0; the least is 1": {"every": 0},
    "every is None": {"every": None},
    "keep is 0": {"keep": 0},
    "keep is 1001; the most is 1000": {"keep": 1001},
    "pins is -1": {"pins": -1},
    "save is 3; expected a function": {"save": 3},
    "load is 'x'; expected a function": {"load": "x"},
    "networks must be a mapping": {"networks": [1]},
    "without save=": {"networks": {}, "save": print},
    "suffix is 'pt'": {"suffix": "pt"},
    "suffix is './x'": {"suffix": "./x"},
}


@pytest.mark.parametrize("said", BAD)
def test_bad_settings_say_what_is_wrong(said: str) -> None:
    with pytest.raises(SettingError, match=said):
        read_ring(**{**DEFAULTS, **BAD[said]})


SUFFIXES: list[tuple[dict[str, Any], str]] = [
    ({}, ".safetensors"), ({"save": print}, ".pt"), ({"save": print, "suffix": ""}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("given", "suffix"), SUFFIXES)
def test_names_end_as_their_content_is(given: dict[str, Any], suffix: str) -> None:
    assert read_ring(**{**DEFAULTS, **given}).suffix == suffix
