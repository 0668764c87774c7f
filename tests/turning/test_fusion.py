"""What makes one event, and how often it is told."""

from typing import Any

import pytest

from monitor.turning import TurningPointDetector
from monitor.types import TurningPoint
from tests.turning.streams import Record, angles, batches, noisy, play


def steady(metric: str, count: int) -> list[float]:
    return noisy(1, [0.9] * count, 0.02) if metric == "Q" else noisy(2, [3.2] * count, 0.08)


def kinds(found: list[TurningPoint]) -> list[tuple[str, int]]:
    return [(p.kind, p.detected_step) for p in found if p.kind != "recovered"]


def falls(apart: int) -> list[Record]:
    """D falls a little at batch 41 and stays there, Q so many batches later."""
    diversity = [*steady("D", 40), *noisy(3, [2.7] * 60, 0.08)]
    quality = [*steady("Q", 40 + apart), *[0.3] * (60 - apart)]
    return batches(Q=quality, D=diversity)


def test_falls_close_together_are_one_event_with_one_escalation() -> None:
    assert kinds(play(falls(1))) == [("turning_point", 8600)]
    assert kinds(play(falls(5))) == [("diversity", 8600), ("turning_point", 9400)]


def test_falls_far_apart_are_two_warnings() -> None:
    assert kinds(play(falls(20))) == [("diversity", 8600), ("quality", 12600)]


@pytest.mark.parametrize("every", [1, 7, 2000])
def test_the_window_is_in_batches_whatever_the_steps(every: int) -> None:
    near, far = ([(s * every // 200, v) for s, v in falls(apart)] for apart in (5, 20))
    assert [point.kind for point in play(near)] == ["diversity", "turning_point"]
    assert [point.kind for point in play(far)] == ["diversity", "quality"]


def test_two_networks_are_one_family() -> None:
    values = angles(1, [0.004] * 1500 + [0.1] * 60 + [0.004] * 1500, 0.1)
    found = play([(i, {"S.G": x, "S.D": x * 2}) for i, x in enumerate(values)])
    assert [point.kind for point in found] == ["stability", "recovered"]


def jumps(every: int) -> list[Record]:
    """S.D jumps forty-fold again and again; Q does not care."""
    values = angles(1, [0.002] * 12_000, 0.2)
    quality = steady("Q", 60)
    return [
        (i + 1, {"S.D": x * (40 if i > 3000 and i % every < 50 else 1)})
        if (i + 1) % 200
        else (i + 1, {"S.D": x, "Q": quality[i // 200]})
        for i, x in enumerate(values)
    ]


def test_stability_that_keeps_jumping_is_told_once_in_a_while() -> None:
    found = play(jumps(1000))
    found = [point for point in found if point.kind != "recovered"]
    assert {point.kind for point in found} == {"stability", "oscillating"}
    assert 2 <= len(found) <= 4


def test_after_recovery_the_next_event_is_told_again() -> None:
    bad, good = {"Q": 0.1, "D": 1.5}, {"Q": 0.9, "D": 3.2}
    phases = [good] * 40 + [bad] * 10 + [good] * 40 + [bad] * 10
    detector = TurningPointDetector()
    found = play([(i, values) for i, values in enumerate(phases)], detector)
    assert [(point.kind, point.step) for point in found] == [
        ("turning_point", 40),
        ("recovered", 50),
        ("turning_point", 90),
    ]


def metric_of(detector: TurningPointDetector, name: str) -> dict[str, Any]:
    found: dict[str, Any] = detector.summary()["metrics"][name]
    return found


def test_a_turning_point_lasts_until_the_metrics_are_back() -> None:
    detector = TurningPointDetector()
    quality, diversity = [0.9] * 40 + [0.1] * 100, [3.2] * 40 + [1.5] * 100
    play(batches(every=1, Q=quality, D=diversity), detector)
    assert metric_of(detector, "Q")["turned"]["grave"]
    play([(141 + i, {"Q": 0.9, "D": 3.2}) for i in range(5)], detector)
    assert metric_of(detector, "Q")["turned"] is None


def test_a_warning_that_nothing_confirmed_gives_way_to_the_new_level() -> None:
    detector = TurningPointDetector()
    play(batches(every=1, Q=[0.9] * 40 + [0.7] * 30), detector)
    assert not metric_of(detector, "Q")["turned"]["grave"]
    later = play([(71 + i, {"Q": 0.7}) for i in range(40)], detector)
    assert (later, metric_of(detector, "Q")["turned"]) == ([], None)
    assert kinds(play([(111 + i, {"Q": 0.4}) for i in range(9)], detector)) == [("quality", 113)]


@pytest.mark.parametrize("names", [("S.D", "Q", "D"), ("Q", "D", "S.D")])
def test_metrics_fed_one_after_the_other_still_find_each_other(names: tuple[str, ...]) -> None:
    angle = angles(1, [0.002] * 8000 + [0.08] * 60 + [0.002] * 3940, 0.2)
    series: dict[str, list[Record]] = {
        "S.D": [(i + 1, {"S.D": x}) for i, x in enumerate(angle)],
        "Q": batches(Q=[*steady("Q", 40), *[0.3] * 20]),
        "D": batches(D=[*steady("D", 40), *[2.6] * 20]),
    }
    detector = TurningPointDetector()
    found = [point for name in names for point in play(series[name], detector)]
    assert "turning_point" in [point.kind for point in found]
    assert all(point.step <= point.detected_step for point in found)


def test_modes_that_go_on_vanishing_long_after_a_turning_point_are_told() -> None:
    quality = [*steady("Q", 40), 0.2, 0.2, *noisy(4, [0.9] * 38, 0.02)]
    diversity = [
        *steady("D", 40),
        2.6,
        2.6,
        *noisy(5, [3.2] * 12, 0.08),
        *[3.2 - 0.1 * i for i in range(26)],
    ]
    found = play(batches(Q=quality, D=diversity))
    assert [point.kind for point in found][:1] == ["turning_point"]
    assert [point.kind for point in found].count("recovered") <= 1
    assert "mode_collapse" in [point.kind for point in found[1:]]
    assert len(found) <= 4


def test_modes_that_vanish_soon_after_a_dip_of_quality_are_told_at_once() -> None:
    # As in a recorded NSGAN: S jumps and Q dips; seven batches later D collapses.
    stability = angles(4, [0.002] * 12_000, 0.2)
    quality, diversity = steady("Q", 60), steady("D", 60)
    quality[40:42] = [0.3, 0.3]
    diversity[48:] = noisy(5, [0.8] * 12, 0.08)
    records: list[Record] = []
    for i, angle in enumerate(stability):
        values = {"S.D": angle * (40 if 8140 <= i < 8240 else 1)}
        if (i + 1) % 200 == 0:
            values |= {"Q": quality[i // 200], "D": diversity[i // 200]}
        records.append((i + 1, values))
    first, second = (point for point in play(records) if point.severity == "critical")
    assert (first.kind, first.metrics[0], first.detected_step) == ("turning_point", "S.D", 8400)
    assert (second.metrics, second.step) == (("D",), 9800)
    assert second.detected_step <= 10_000
    assert "Mode collapse" in second.message


def jump_of_stability(quality: list[float], **others: list[float]) -> list[Record]:
    """A batch every 200 steps; S.D jumps forty-fold for 100 steps after batch 30."""
    values = angles(4, [0.002] * 6000 + [0.08] * 100 + [0.002] * 1900, 0.2)
    series = {"Q": quality, **others}
    return [
        (
            i + 1,
            {"S.D": x} | ({n: v[i // 200] for n, v in series.items()} if i % 200 == 199 else {}),
        )
        for i, x in enumerate(values)
    ]


def test_a_fall_that_is_over_confirms_no_jump() -> None:
    # Q is away for three batches, and back for six when S jumps.
    over = [*steady("Q", 20), *[0.3] * 3, *steady("Q", 17)]
    assert [kind for kind, _ in kinds(play(jump_of_stability(over)))] == ["quality"]
    lasting = [*steady("Q", 28), *[0.3] * 12]
    assert [kind for kind, _ in kinds(play(jump_of_stability(lasting)))] == ["turning_point"]


def test_a_rise_of_diversity_is_no_turn_for_the_worse() -> None:
    # One mode, all of whose samples are good; then the generator finds others.
    found_more = [*noisy(5, [0.1] * 30, 0.02), *noisy(6, [1.5] * 10, 0.05)]
    quality = [*noisy(7, [0.98] * 30, 0.01), *noisy(8, [0.6] * 10, 0.02)]
    told = kinds(play(jump_of_stability(quality, D=found_more)))
    assert [kind for kind, _ in told] == ["stability"]
    stays = [*noisy(5, [0.1] * 40, 0.02)]
    told = kinds(play(jump_of_stability(quality, D=stays)))
    assert [kind for kind, _ in told] == ["stability", "turning_point"]
