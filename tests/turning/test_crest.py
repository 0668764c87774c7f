"""What creeps: a loss of half of the modes or faces is told however slowly it comes, and once."""

import json
from typing import Any

import pytest

from monitor.turning import TurningPointDetector
from monitor.turning.crest import Crest
from tests.turning.streams import batches, noisy, play, ramp

QUALITY = noisy(1, [0.9] * 300, 0.02)
#: Over 200 batches, a hundredth of its noise each: no evidence of a change at any of them.
CREEPING = noisy(2, [4.2] * 50 + ramp(4.2, 2.8, 200) + [2.8] * 50, 0.08)


def told(**series: list[float]) -> list[Any]:
    return play(batches(every=1, **series))


def test_a_crest_is_the_largest_median_of_seven() -> None:
    crest = Crest()
    series = [9.0, *[3.0] * 7, 2.7, 2.7, 2.7, 2.7, *[2.2] * 5]
    gone = [crest.feed("D", i, value) for i, value in enumerate(series)]
    assert gone == [False] * 15 + [True, True]
    assert (crest.level, crest.held) == (3.0, 2.2)
    # The median is 2.7 from the twelfth on, and 2.2 from the sixteenth on.
    assert crest.step == 14


def test_of_quality_half_of_the_faces_is_what_counts() -> None:
    crest = Crest()
    gone = [crest.feed("Q", i, value) for i, value in enumerate([*[0.8] * 7, *[0.41] * 7])]
    assert not any(gone)
    # The median of seven is the new one's from its fourth on; that of no faces is finite.
    assert [crest.feed("Q", 20 + i, 0.4) for i in range(4)] == [False, False, False, True]
    change = crest.fall("Q", 23, sigma=0.05)
    assert (change.before, change.after) == pytest.approx((0.8, 0.4))
    assert (change.family, change.onset, change.units) == ("Q", 9, 8.0)
    # From then on half is half of what was left; what comes back may be lost again.
    assert [crest.feed("Q", 30 + i, 0.19) for i in range(4)] == [False, False, False, True]
    assert crest.fall("Q", 33, sigma=0.05).before == pytest.approx(0.8)
    assert not any(crest.feed("Q", 40 + i, 0.8) for i in range(7))
    assert [crest.feed("Q", 50 + i, 0.4) for i in range(4)] == [False, False, False, True]


def test_quality_that_creeps_is_told_at_each_half() -> None:
    creeping = noisy(5, [0.9] * 50 + ramp(0.9, 0.2, 300) + [0.2] * 50, 0.02)
    half, quarter = told(Q=creeping, D=noisy(6, [4.2] * 400, 0.08))
    for found in (half, quarter):
        assert (found.kind, found.severity, found.metrics) == ("quality", "warning", ("Q",))
    # 0.45 is there 193 batches after the beginning at 50, the quarter 96 later.
    assert 240 <= half.detected_step <= 255
    assert half.message.startswith("Q fell from 0.9")
    assert 330 <= quarter.detected_step <= 350


def test_what_creeps_is_told_once_with_its_beginning() -> None:
    [found] = told(Q=QUALITY, D=CREEPING)
    assert (found.kind, found.severity, found.metrics) == ("mode_collapse", "critical", ("D",))
    # Half of the modes are gone 100 batches after the beginning at 50; a quarter after 50.
    assert 85 <= found.step <= 115
    assert 135 <= found.detected_step <= 165
    assert found.message.startswith("D fell from 4.3 to 3.6 (")
    assert found.message.endswith("Mode collapse.")


@pytest.mark.parametrize("quality", [QUALITY, None], ids=["Q", "no Q"])
def test_it_needs_a_quality_that_rose_or_none(quality: list[float] | None) -> None:
    series = {"D": CREEPING} if quality is None else {"D": CREEPING, "Q": quality}
    assert [found.kind for found in told(**series)] == ["mode_collapse"]
    assert told(D=CREEPING, Q=[0.0] * 300) == []


def test_what_comes_back_is_over_and_may_come_again() -> None:
    back = [*CREEPING, *noisy(3, [4.2] * 20, 0.08)]
    again = noisy(4, ramp(4.2, 2.8, 200), 0.08)
    diversity = [*back, *again]
    found = told(Q=[0.9] * len(diversity), D=diversity)
    assert [each.kind for each in found] == ["mode_collapse", "recovered", "mode_collapse"]


def test_a_run_that_goes_back_has_not_crept_yet() -> None:
    records = batches(every=1, Q=QUALITY, D=CREEPING)
    detector = TurningPointDetector()
    [first] = play(records, detector)
    [second] = play(records[60:], detector)
    assert (second.kind, second.detected_step) == (first.kind, first.detected_step)


@pytest.mark.parametrize("at", [3, 100, 160, 200])
def test_it_goes_on_from_its_state(at: int) -> None:
    records = batches(every=1, Q=QUALITY, D=CREEPING)
    detector = TurningPointDetector()
    found = play(records[:at], detector)
    restored = TurningPointDetector.from_state(json.loads(json.dumps(detector.state())))
    assert [*found, *play(records[at:], restored)] == play(records)
