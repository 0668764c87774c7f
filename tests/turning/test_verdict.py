"""The sentence about a run, from what the detector knows."""

import json
import math

import pytest

from monitor.turning import TurningPointDetector
from monitor.turning.verdict import verdict
from monitor.types import Alert
from tests.turning.streams import Record, angles, batches, noisy, play, ramp

QUALITY, DIVERSITY = noisy(1, [0.91] * 40, 0.01), noisy(2, [3.1] * 40, 0.03)


def after(records: list[Record]) -> TurningPointDetector:
    detector = TurningPointDetector()
    play(records, detector)
    return detector


def sentence(records: list[Record], ceiling: float | None = None) -> tuple[str, str]:
    summary = json.loads(json.dumps(after(records).summary()))
    return verdict(summary, ceiling=ceiling)


def test_nothing_yet() -> None:
    assert sentence([]) == ("learning", "Learning: too few points to judge.")


def test_learning() -> None:
    assert sentence(batches(Q=[0.0, 0.05, 0.07], D=[4.0, 4.1, 4.0])) == (
        "learning",
        "Learning: Q 0.07, D 4.0; 9 more sample batches before it can be judged.",
    )
    assert sentence(batches(Q=[0.01] * 20)) == (
        "learning",
        "Learning: Q 0.01; Q is too low to judge yet.",
    )


def test_healthy() -> None:
    level, text = sentence(batches(Q=QUALITY, D=DIVERSITY), ceiling=4.605)
    assert (level, text) == ("healthy", "Healthy: Q 0.91, D 3.1 of 4.6.")


def test_trends() -> None:
    rising = batches(Q=ramp(0.3, 0.9, 60), D=ramp(2.0, 3.5, 60))
    assert sentence(rising) == ("healthy", "Healthy: Q 0.90, D 3.5, both rising.")
    settling: list[Record] = [(i, {"S.G": x}) for i, x in enumerate(ramp(0.016, 0.002, 3000))]
    assert sentence(settling) == ("healthy", "Healthy: S settling.")
    both: list[Record] = [(i, {**v, "S.D": 0.001}) for i, v in settling]
    assert sentence(both) == ("healthy", "Healthy: S.G settling, S.D steady.")


def test_turned() -> None:
    quality = [*QUALITY, *[0.9] * 3, *[0.2] * 7]
    diversity = [*DIVERSITY, *ramp(3.1, 1.3, 10)]
    assert sentence(batches(Q=quality, D=diversity)) == (
        "turned",
        "Turned at step 8,400: D fell from 3.1 to 1.5, Q followed.",
    )


def test_one_metric_is_a_warning() -> None:
    assert sentence(batches(Q=[*QUALITY, *[0.6] * 5], D=[*DIVERSITY, *[3.1] * 5])) == (
        "warning",
        "Warning: Q fell from 0.91 to 0.60 at step 8,200. Now Q 0.60 falling, D 3.1.",
    )
    jump = angles(1, [0.002] * 2000 + [0.1] * 60, 0.1)
    level, text = sentence([(i, {"S.D": x}) for i, x in enumerate(jump)])
    assert level == "warning"
    assert text.startswith("Warning: S.D rose ")


@pytest.mark.parametrize(("name", "level"), [("S.G", "turned"), ("Q", "warning")])
def test_not_finite(name: str, level: str) -> None:
    detector = after(batches(Q=QUALITY, D=DIVERSITY))
    detector.update(9000, {name: math.nan})
    found, text = verdict(detector.summary())
    assert found == level
    assert name in text
    assert "finite" in text


def test_alerts_of_others_are_a_warning_and_the_detectors_own_are_not_told_twice() -> None:
    summary = after(batches(Q=QUALITY, D=DIVERSITY)).summary()
    behind = Alert("1", "run", "worker_behind", None, None, (), "warning", "Worker 4 behind.", 0.0)
    closed = Alert("2", "run", "quality", 1, 2, ("Q",), "warning", "Q fell.", 0.0)
    assert verdict(summary, [behind, closed]) == (
        "warning",
        "Warning: Worker 4 behind. Now Q 0.91, D 3.1.",
    )
    assert verdict(summary, [closed])[0] == "healthy"


def test_an_early_warning_is_told_while_it_holds() -> None:
    sinking: list[Record] = [(i, {"loss.D": 1.0 if i < 2000 else 0.001}) for i in range(3000)]
    detector = TurningPointDetector()
    (found,) = play([*sinking, *((3000 + s, v) for s, v in batches(Q=QUALITY))], detector)
    told = Alert(
        "1", "run", found.kind, found.step, found.detected_step, (), "warning", "It is.", 0
    )
    summary = json.loads(json.dumps(detector.summary()))
    said = "Warning: discriminator saturated since step 2,048. Now Q 0.91."
    assert verdict(summary, [told]) == ("warning", said)
    assert verdict({**summary, "warnings": []}, [told])[0] == "healthy"


def test_diversity_that_rises_before_there_are_faces_does_not_fall() -> None:
    rising = [1.3, 3.3, 3.5, 3.6, 3.7, 3.8, 3.9, 4.0]
    level, said = sentence(batches(Q=[0.0] * len(rising), D=rising))
    assert level == "learning"
    assert said.startswith("Learning: Q 0.00, D 4.0 rising;")


def test_quality_of_images_without_faces_does_not_wait_for_ever() -> None:
    assert sentence(batches(Q=[0.0] * 60, D=[3.0] * 60)) == ("healthy", "Healthy: Q 0.00, D 3.0.")
