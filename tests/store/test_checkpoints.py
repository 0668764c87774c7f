"""Where checkpoints lie, as trainers tell it: shown, whoever wrote it."""

import json
from typing import Any

import pytest

from monitor.store.connection import Store
from monitor.store.runs import read_run
from tests.store.posting import Trainer
from trainer_hooks import keys

KINDS = ["mode_collapse", "quality"]


def ring(*steps: int, folder: str = "/ring", pins: dict[int, list[str]] | None = None) -> str:
    """As a trainer tells it; a step that is given twice was gone back behind."""
    checkpoints = [
        {
            "step": step,
            "path": f"{folder}/step-{step}-{number}.pt",
            "hidden": step in steps[number + 1 :],
            "alerts": (pins or {}).get(step, []),
        }
        for number, step in enumerate(steps)
    ]
    told = {"host": "box", "folder": folder, "kinds": KINDS, "checkpoints": checkpoints}
    return json.dumps(told)


def beat(trainer: Trainer, told: str, *, finished: bool = False) -> None:
    trainer.link.beat({}, {}, finished=finished, ring=told)


def alert(store: Store, name: str, step: int | None, kind: str = "quality") -> None:
    about = {"id": name, "kind": kind, "step": step, "time": step or 0, "message": "Q fell."}
    store.data.hset(keys.alerts("demo"), name, json.dumps(about))


def found(store: Store) -> list[tuple[str, int, bool]]:
    return [(each.alert, each.step, each.pinned) for each in read_run(store, "demo").pinned]


def test_pinned_ones_are_found_in_the_order_of_the_alerts(store: Store) -> None:
    trainer = Trainer(store)
    assert found(store) == []
    for name, step in (("b", 35), ("a", 15), ("c", 37)):
        alert(store, name, step)
    beat(trainer, ring(10, 20, 30, pins={10: ["a"], 30: ["b", "c"]}))
    assert found(store) == [("a", 10, True), ("b", 30, True), ("c", 30, True)]
    (first, *_) = read_run(store, "demo").pinned
    assert (first.path, first.host) == ("/ring/step-10-0.pt", "box")


def test_what_an_ended_trainer_left_is_found(store: Store) -> None:
    trainer = Trainer(store)
    alert(store, "a", 25)
    alert(store, "early", 5)
    alert(store, "other", 25, "stability")
    beat(trainer, ring(10, 20, 30, 20))
    # It lives: what it has not pinned may be gone in a moment.
    assert found(store) == []
    beat(trainer, "", finished=True)
    assert found(store) == [("a", 20, False)]
    assert read_run(store, "demo").pinned[0].path == "/ring/step-20-3.pt"


def test_later_process_tells_anew_of_a_folder_that_it_took_over(store: Store) -> None:
    alert(store, "a", 25)
    beat(Trainer(store), ring(10, 20, pins={20: ["a"]}))
    beat(Trainer(store, resume=True), ring(30, folder="/elsewhere"))
    assert found(store) == [("a", 20, True)]
    beat(Trainer(store, resume=True), ring(30, 40))
    assert found(store) == []


def test_empty_word_leaves_what_was_told(store: Store) -> None:
    trainer = Trainer(store)
    alert(store, "a", 25)
    for told in (ring(20, pins={20: ["a"]}), ""):
        beat(trainer, told)
        assert found(store) == [("a", 20, True)]


HOSTILE: list[Any] = [
    "", "{", "[]", "3", '"x"', "null", "[" * 100_000, {"checkpoints": []}, {"host": 1},
    {"host": "h", "folder": "f", "kinds": 3, "checkpoints": [{"step": 1}]},
    {"host": "h", "folder": "f", "kinds": [], "checkpoints": {"step": 1}},
    {"host": "h", "folder": "f", "kinds": [], "checkpoints": [
        {"step": "x", "path": "p", "hidden": 0, "alerts": []}]},
    {"host": "h", "folder": "f", "kinds": [], "checkpoints": [
        {"step": 1e999, "path": "p", "hidden": 0, "alerts": []}]},
]  # fmt: skip


@pytest.mark.parametrize("told", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_such_thing_is_not_there(store: Store, told: Any) -> None:
    trainer = Trainer(store)
    alert(store, "a", 25)
    beat(trainer, ring(10))
    text = told if isinstance(told, str) else json.dumps(told)
    store.data.hset(keys.meta("demo"), f"checkpoints:{trainer.segment}", text)
    assert found(store) == []


def test_long_and_strange_words_are_cut_and_shown(store: Store) -> None:
    trainer = Trainer(store)
    alert(store, "a", 25)
    told = json.loads(ring(10, pins={10: ["a"]}))
    told["host"] = "\x1b[2J" + "h" * 1000
    told["checkpoints"][0]["path"] = "<b>\ud800" + "p" * 10_000
    beat(trainer, json.dumps(told))
    (pinned,) = read_run(store, "demo").pinned
    assert (pinned.host[:4], len(pinned.host)) == ("\x1b[2J", 255)
    assert (pinned.path[:4], len(pinned.path)) == ("<b>?", 4096)
