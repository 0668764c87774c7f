"""Losses that are NaN: told once three came in a row, over with the first number."""

import json
import math

from monitor.turning import TurningPointDetector
from monitor.turning.verdict import verdict
from monitor.watch.recovery import is_over
from tests.turning.streams import Record, batches, noisy, play

NAN = math.nan
#: A run of which Q and D say that it is well.
SOUND = batches(1, Q=noisy(1, [0.9] * 40, 0.02), D=noisy(2, [3.2] * 40, 0.05))


def losses(*values: float, name: str = "loss.G", first: int = 100) -> list[Record]:
    return [(first + i, {name: value}) for i, value in enumerate(values)]


def test_three_in_a_row_are_told_once_and_are_over_with_a_number() -> None:
    detector = TurningPointDetector()
    play(SOUND, detector)
    [broken] = play(losses(1.0, NAN, math.inf, -math.inf, NAN, NAN), detector)
    assert (broken.kind, broken.severity, broken.metrics) == ("nonfinite", "warning", ("loss.G",))
    assert (broken.step, broken.detected_step) == (101, 103)
    assert broken.message == "loss.G is NaN or infinite since step 101."
    assert verdict(detector.summary())[1].startswith("Warning: loss.G is not finite.")
    alert = {"kind": "nonfinite", "metrics": ["loss.G"], "detected_step": 103, "step": 101}
    assert not is_over(alert, detector.summary())
    [back] = play(losses(1.0, 1.0, first=106), detector)
    assert (back.kind, back.step, back.closes) == ("recovered", 106, (("nonfinite", 101),))
    assert is_over(alert, detector.summary())
    assert verdict(detector.summary())[0] == "healthy"


def test_now_and_then_is_nothing_nor_are_other_scalars() -> None:
    assert play(losses(*[1.0, NAN, NAN] * 20)) == []
    assert play(losses(*[NAN] * 20, name="grad.G")) == []
    assert play(losses(*[NAN] * 20, name="lr")) == []


def test_many_names_are_bounded() -> None:
    detector = TurningPointDetector()
    for step in range(4):
        for number in range(1000):
            detector.update(step, {f"loss.{number}": NAN})
    assert len(detector.summary()["broken"]) == 16


def test_state_and_steps_back() -> None:
    detector = TurningPointDetector()
    play(losses(1.0, NAN, NAN), detector)
    again = TurningPointDetector.from_state(json.loads(json.dumps(detector.state())))
    assert again.state() == detector.state()
    assert len(play(losses(NAN, first=103), again)) == 1
    state = detector.state()
    # Of a run that an older version watched.
    del state["early"]["broken"]
    assert play(losses(NAN, first=103), TurningPointDetector.from_state(state)) == []


def test_of_a_run_that_pushes_losses_alone() -> None:
    detector = TurningPointDetector()
    [broken] = play(losses(1.0, NAN, NAN, NAN), detector)
    alert = {"kind": "nonfinite", "metrics": ["loss.G"], "detected_step": 103, "step": broken.step}
    assert verdict(detector.summary()) == ("warning", "Warning: loss.G is not finite.")
    assert not is_over(alert, detector.summary())
    play(losses(1.0, first=104), detector)
    assert is_over(alert, detector.summary())
