"""The scores, against an example that was worked out by hand."""

from monitor.turning.case import Case
from monitor.turning.evaluate import Alarm, Score, evaluate, is_alarm, judge
from monitor.turning.replay import Record
from monitor.types import TurningPoint

#: A sample batch every 100 steps; Q and D each time, S never: 20 values.
RECORDS = tuple(Record(100 * i, None, {"Q": 0.9, "D": 3.0, "loss.G": 1.0}) for i in range(1, 11))


def case(name: str, turn: tuple[int, int] | None = None) -> Case:
    return Case(name, turn, 100, RECORDS)


def alarm(step: int, detected_step: int) -> Alarm:
    return Alarm(step, detected_step)


#: Ten batches are 1000 steps: alarms that far apart are one, further ones two.
ALARMS = {
    "found": [alarm(5100, 5300), alarm(5000, 5600)],
    "found early": [alarm(4750, 4800)],
    "found after a false one": [alarm(3000, 3100), alarm(4900, 5450)],
    "missed": [],
    "too late": [alarm(5000, 6701)],
    "healthy": [],
    "healthy, wrongly": [alarm(1000, 1100), alarm(2000, 2100), alarm(5000, 5100)],
}
TRUTH = {"found": (5000, 5200), "found early": (5000, 5000), "too late": (5000, 5200)}


def cases() -> list[Case]:
    turned = [name for name in ALARMS if not name.startswith("healthy")]
    return [
        case(name, TRUTH.get(name, (5000, 5000)) if name in turned else None) for name in ALARMS
    ]


def test_each_case() -> None:
    found = {each.name: judge(each, ALARMS[each.name]) for each in cases()}
    assert {name: (o.false, o.delay, o.error) for name, o in found.items()} == {
        "found": (0, 3.0, 0.0),
        "found early": (0, 0.0, 2.5),
        "found after a false one": (1, 4.5, 1.0),
        "missed": (0, None, None),
        "too late": (1, None, None),
        "healthy": (0, None, None),
        "healthy, wrongly": (2, None, None),
    }


def test_the_score() -> None:
    found = evaluate(lambda case: ALARMS[case.name], cases())
    assert found == Score(
        runs=7,
        turned=5,
        hits=3,
        false=4,
        false_per_1000=1000 * 4 / (7 * 20),
        false_per_healthy=2 / 2,
        delay=3.0,
        error=1.0,
    )
    assert (found.precision, found.recall, found.f1) == (3 / 7, 3 / 5, 0.5)


def test_nothing_at_all_is_no_mistake() -> None:
    found = evaluate(lambda case: [], [case("healthy")])
    assert (found.precision, found.recall, found.f1, found.delay) == (1.0, 1.0, 1.0, None)


def test_a_metric_that_is_alone_speaks_for_itself() -> None:
    def told(kind: str, families: str) -> bool:
        found = TurningPoint(1, 2, kind, ("Q",), "warning", "")
        return is_alarm(found, frozenset(families))

    assert told("turning_point", "SQD")
    assert told("mode_collapse", "D")
    assert told("stability", "S")
    assert told("quality", "Q")
    assert not told("stability", "SQ")
    assert not told("oscillating", "S")
