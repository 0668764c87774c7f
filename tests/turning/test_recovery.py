"""What is back: which alerts it closes, since when, and in which words."""

import json
import math

from monitor.turning import TurningPointDetector
from monitor.types import TurningPoint
from tests.turning.streams import Record, batches, noisy, play

GOOD, BAD = {"Q": 0.9, "D": 3.2}, {"Q": 0.1, "D": 1.5}
#: Both fall at batch 41 and are back at batch 61.
QUALITY = noisy(1, [0.9] * 40 + [0.2] * 20 + [0.9] * 20, 0.02)
DIVERSITY = noisy(2, [3.2] * 40 + [1.5] * 20 + [3.2] * 20, 0.08)


def recovered(found: list[TurningPoint]) -> list[TurningPoint]:
    return [point for point in found if point.kind == "recovered"]


def test_one_message_when_all_of_an_event_is_back() -> None:
    found = play(batches(Q=QUALITY, D=DIVERSITY))
    assert [(p.kind, p.step, p.detected_step) for p in found] == [
        ("turning_point", 8200, 8400),
        ("recovered", 12_200, 13_000),
    ]
    assert found[1].severity == "info"
    assert set(found[1].metrics) == {"Q", "D"}
    assert found[1].closes == (("turning_point", 8200),)
    assert found[1].message == (
        "Recovered: Q is back at 0.90, D is back at 3.3 since step 12,200; the turning point of "
        "step 8,200 is over."
    )


def test_as_json_only_what_closes_something_says_so() -> None:
    turned, back = (found.as_dict() for found in play(batches(Q=QUALITY, D=DIVERSITY)))
    assert turned.keys() == {
        *("step", "detected_step", "kind", "metrics", "severity", "message"),
    }
    assert back["closes"] == [{"kind": "turning_point", "step": 8200}]
    json.dumps(back)


def test_an_escalation_is_closed_with_its_first_alert() -> None:
    slow = noisy(1, [3.2] * 40 + [3.2 - 0.19 * i for i in range(1, 11)] + [1.3] * 9, 0.08)
    found = play(batches(D=slow + noisy(3, [3.2] * 10, 0.08)))
    assert [point.kind for point in found] == ["diversity", "mode_collapse", "recovered"]
    assert found[2].closes == (("diversity", 8200), ("mode_collapse", 8200))


def test_half_of_an_event_is_not_over() -> None:
    stays = [*DIVERSITY[:60], *noisy(4, [1.5] * 20, 0.08)]
    assert recovered(play(batches(Q=QUALITY, D=stays))) == []


def test_a_new_normal_is_no_recovery() -> None:
    found = play(batches(every=1, Q=[0.9] * 40 + [0.7] * 80))
    assert [point.kind for point in found] == ["quality"]


def test_values_that_are_finite_again() -> None:
    records: list[Record] = [
        (i, {"S.G": math.nan if 5 <= i < 9 else 0.01, "Q": math.nan if i == 5 else 0.5})
        for i in range(20)
    ]
    broken, back = play(records)
    assert (broken.kind, broken.step) == ("nonfinite", 5)
    assert (back.kind, back.step, back.closes) == ("recovered", 9, (("nonfinite", 5),))
    assert back.message == "Recovered: S.G is finite again since step 9 (it was not at 5)."


def test_what_was_undone_by_a_resume_is_not_told_as_over() -> None:
    detector = TurningPointDetector()
    play([(i, GOOD if i < 40 else BAD) for i in range(45)], detector)
    assert recovered(play([(i, GOOD) for i in range(30, 60)], detector)) == []
