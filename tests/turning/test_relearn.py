"""A metric that is measured with something else from some batch on."""

import json

from monitor.turning import TurningPointDetector
from tests.turning.streams import Record, batches, noisy, play

#: Another reference set has fewer modes: D is lower, and nothing has happened.
BEFORE = batches(Q=noisy(1, [0.9] * 40, 0.02), D=noisy(2, [4.2] * 40, 0.08))
AFTER = [
    (8000 + step, values)
    for step, values in batches(Q=noisy(3, [0.9] * 40, 0.02), D=noisy(4, [2.0] * 40, 0.08))
]
COLLAPSED = [(16_000 + step, values) for step, values in batches(Q=[0.9] * 20, D=[0.7] * 20)]


def turned(detector: TurningPointDetector) -> list[str]:
    return [name for name, m in detector.summary()["metrics"].items() if m["turned"] is not None]


def test_another_measure_is_no_collapse_and_a_collapse_by_it_is_one() -> None:
    assert [found.kind for found in play(BEFORE + AFTER)] == ["mode_collapse"]
    detector = TurningPointDetector()
    play(BEFORE, detector)
    detector.relearn(["D"])
    assert play(AFTER, detector) == []
    [found] = play(COLLAPSED, detector)
    assert (found.kind, found.step, found.metrics) == ("mode_collapse", 16_200, ("D",))


def test_it_is_learnt_anew_and_the_others_are_not() -> None:
    detector = TurningPointDetector()
    play(BEFORE, detector)
    detector.relearn(["D", "never seen"])
    metrics = detector.summary()["metrics"]
    assert metrics.keys() == {"Q", "D"}
    assert metrics["Q"]["judged"]
    assert not metrics["D"]["judged"]
    assert metrics["D"]["missing"] > 1
    assert metrics["D"]["step"] == BEFORE[-1][0]
    play(AFTER[:20], detector)
    assert detector.summary()["metrics"]["D"]["judged"]


def test_nothing_waits_for_what_had_turned() -> None:
    detector = TurningPointDetector()
    fallen: list[Record] = [(step, {**values, "D": 2.0}) for step, values in AFTER[:10]]
    assert [found.kind for found in play(BEFORE + fallen, detector)] == ["mode_collapse"]
    assert turned(detector) == ["D"]
    detector.relearn(["D"])
    assert turned(detector) == []
    # By the new measure it is where it was by the old one: nobody knows that it is back.
    high = [(step, {**values, "D": 4.2}) for step, values in AFTER[10:]]
    assert play(high, detector) == []


def test_a_value_that_was_not_finite_still_mends() -> None:
    detector = TurningPointDetector()
    play([*BEFORE, (8100, {"D": float("nan")})], detector)
    detector.relearn(["D"])
    assert detector.summary()["metrics"]["D"]["nonfinite"]
    [found] = play(AFTER[:1], detector)
    assert (found.kind, found.closes) == ("recovered", (("nonfinite", 8100),))


def test_state_goes_on_where_it_was() -> None:
    detector = TurningPointDetector()
    play(BEFORE, detector)
    detector.relearn(["D"])
    again = TurningPointDetector.from_state(json.loads(json.dumps(detector.state())))
    assert again.state() == detector.state()
    assert play(AFTER + COLLAPSED, again) == play(AFTER + COLLAPSED, detector)
