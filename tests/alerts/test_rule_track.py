"""When a rule tells, when it is over, and when it stays silent."""

import json
import math
import random
from collections.abc import Sequence
from typing import Any

import pytest

from monitor.alerts.rule import parse_rule
from monitor.alerts.rule_track import Fired, RuleTrack
from monitor.alerts.span import Place


def played(rule: Any, values: Sequence[float], *, every: int = 1) -> list[tuple[str, int, int]]:
    """What happens at these values, a second and `every` steps apart: what, since when, when.

    The track is stored and read again after each.
    """
    rule = parse_rule(rule)
    state, found = RuleTrack(rule).state(), []
    for number, value in enumerate(values):
        track = RuleTrack(rule, json.loads(json.dumps(state)))
        event = track.update(Place(number * every, number / 2, float(number)), value)
        state = track.state()
        if isinstance(event, Fired):
            found.append(("on", event.onset.step, event.now.step))
        elif event is not None:
            found.append(("off", 0, event.now.step))
    return found


def test_tells_once_and_ends_when_it_is_over() -> None:
    assert played("D < 2", [3, 1, 1, 1, 3, 3]) == [("on", 1, 1), ("off", 0, 4)]


def test_must_hold_without_a_break() -> None:
    rule = "D < 2 for 3 batches"
    assert played(rule, [1, 1, 3, 1, 1, 1]) == [("on", 3, 5)]
    # And its opposite must hold as long before it is over.
    assert played(rule, [1, 1, 1, 3, 3, 1, 3, 3, 3]) == [("on", 0, 2), ("off", 0, 8)]


def test_spans_of_steps_epochs_and_time() -> None:
    zero = [0.0] * 12
    assert played("loss.D == 0 for 500 steps", zero, every=100) == [("on", 0, 500)]
    assert played("loss.D == 0 for 3 epochs", zero) == [("on", 0, 6)]
    assert played("loss.D == 0 for 10 s", zero) == [("on", 0, 10)]


def test_clear_is_the_other_edge() -> None:
    rule = {"when": "D < 2", "clear": 2.5, "cooldown": "0 s"}
    assert played(rule, [1, 2.2, 1, 2.4, 2.5, 2.4, 1]) == [
        ("on", 0, 0), ("off", 0, 4), ("on", 6, 6),
    ]  # fmt: skip


def test_cooldown_holds_back_what_still_holds_when_it_ends() -> None:
    rule = {"when": "D < 2", "cooldown": "5 s"}
    assert played(rule, [1, 3, 1, 3, 1, 1, 1]) == [("on", 0, 0), ("off", 0, 1), ("on", 4, 5)]
    assert played(rule, [1, 3, 1, 3, 1, 3, 3]) == [("on", 0, 0), ("off", 0, 1)]


def test_flapping_is_not_told_again_and_again() -> None:
    values = [1.0, 3.0] * 250
    assert [what for what, _, _ in played("D < 2", values)] == ["on", "off"]


def test_value_that_is_not_finite_speaks_for_nothing() -> None:
    assert played("D < 2 for 2 batches", [1, math.nan, 1, math.nan, 1]) == []
    assert played("D < 2", [1, math.nan, 3]) == [("on", 0, 0), ("off", 0, 2)]
    assert played("D nonfinite", [1, math.nan, math.nan, 1]) == [("on", 1, 1), ("off", 0, 3)]


def test_steps_that_go_back_begin_a_new_stretch() -> None:
    track = RuleTrack(parse_rule("D < 2 for 3 batches"))
    for step in (0, 1):
        assert track.update(Place(step, None, float(step)), 1.0) is None
    found = [track.update(Place(step, None, 10.0 + step), 1.0) for step in (0, 1, 2)]
    assert isinstance(found[2], Fired)
    assert (found[2].onset.step, found[2].onset.time) == (0, 10.0)


@pytest.mark.parametrize("rule", ["D < 2 for 3 batches", "D nonfinite", "D > 0 for 9 steps"])
def test_state_is_small_and_on_and_off_take_turns(rule: str) -> None:
    chance = random.Random(1)
    values = [chance.choice([0.0, 1.0, 3.0, math.nan]) for _ in range(3000)]
    turns = [what for what, _, _ in played({"when": rule, "cooldown": "0 s"}, values)]
    assert turns == [("on", "off")[i % 2] for i in range(len(turns))]
    track = RuleTrack(parse_rule(rule))
    for number, value in enumerate(values):
        track.update(Place(number, None, float(number)), value)
    assert len(json.dumps(track.state())) < 300
