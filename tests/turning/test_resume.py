"""A run that goes back to an earlier step."""

from monitor.turning import TurningPointDetector
from tests.turning.streams import Record, angles, batches, noisy, play

HEALTHY = batches(Q=noisy(1, [0.9] * 60, 0.02), D=noisy(2, [3.2] * 60, 0.08))
COLLAPSED = batches(Q=[0.1] * 60, D=[1.0] * 60)


def part(records: list[Record], first: int, last: int) -> list[Record]:
    """The records of these steps."""
    return [record for record in records if first <= record[0] <= last]


def turned(detector: TurningPointDetector) -> list[str]:
    return [name for name, m in detector.summary()["metrics"].items() if m["turned"] is not None]


def test_a_turn_is_undone_by_going_back_before_it_and_may_come_again() -> None:
    detector = TurningPointDetector()
    before, after = part(HEALTHY, 1, 6000), part(COLLAPSED, 6200, 7000)
    first = play(before + after, detector)
    assert turned(detector) == ["Q", "D"]
    assert play(part(HEALTHY, 4200, 6000), detector) == []
    assert turned(detector) == []
    second = play(after, detector)
    assert [p.kind for p in first] == [p.kind for p in second] == ["turning_point"]
    assert first[0].step == second[0].step == 6200


def test_the_baseline_survives() -> None:
    detector = TurningPointDetector()
    play(part(HEALTHY, 1, 6000), detector)
    found = play(part(HEALTHY, 4200, 5000) + part(COLLAPSED, 5200, 6000), detector)
    assert [(p.kind, p.step) for p in found] == [("turning_point", 5200)]


def test_evidence_of_a_past_undone_does_not_count() -> None:
    detector = TurningPointDetector()
    play(part(HEALTHY, 1, 6000) + part(COLLAPSED, 6200, 6200), detector)
    assert play(part(COLLAPSED, 6000, 6000) + part(HEALTHY, 6200, 8000), detector) == []


def test_a_recovery_of_a_past_undone_does_not_count() -> None:
    angle = angles(3, [0.002] * 5000 + [0.08] * 100 + [0.002] * 900, 0.2)
    calm = angles(3, [0.002] * 6000, 0.2)

    def records(quality: list[float], stability: list[float], first: int) -> list[Record]:
        return [
            (i + 1, {"S.D": x} | ({"Q": quality[i // 200]} if i % 200 == 199 else {}))
            for i, x in enumerate(stability)
            if i >= first
        ]

    steady = noisy(1, [0.9] * 30, 0.02)
    detector = TurningPointDetector()
    # Q falls for three batches and is back from step 4,800 on; then the run goes back to 4,000,
    # where it falls for good before S jumps at 5,000.
    dips = [*steady[:20], *[0.3] * 3, *steady[23:]]
    assert [p.kind for p in play(records(dips, calm, 0), detector)] == ["quality", "recovered"]
    falls = [*steady[:20], *[0.3] * 10]
    told = [p.kind for p in play(records(falls, angle, 4000), detector)]
    assert told == ["turning_point"]


def test_a_run_started_afresh_under_its_old_name_learns_anew() -> None:
    detector = TurningPointDetector()
    play(HEALTHY, detector)
    learning = batches(Q=[0.0] * 10 + [0.3] * 10 + [0.6] * 10, D=noisy(3, [2.0] * 30, 0.08))
    assert play(learning, detector) == []


def test_iterations_repeat_without_an_alarm() -> None:
    values = angles(1, [0.004] * 4000, 0.1)
    records: list[Record] = [(i, {"S.G": x}) for i, x in enumerate(values)]
    assert play(records + records[1000:] + records[3990:] + records[:500]) == []
