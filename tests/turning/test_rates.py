"""Hits, false alarms and delay on simulated runs that no threshold was tuned on.

The benchmark (benchmarks/README.md) has the same over 200 of them; these are the first 60.
"""

from monitor.turning import TurningPointDetector
from monitor.turning.case import Case
from monitor.turning.evaluate import Alarm, evaluate, is_alarm
from monitor.turning.simulation import cases


def alarms(case: Case) -> list[Alarm]:
    detector = TurningPointDetector()
    return [
        Alarm(found.step, found.detected_step)
        for record in case.records
        for found in detector.update(record.step, record.values, epoch=record.epoch)
        if is_alarm(found, case.families)
    ]


def test_sixty_runs_of_the_test_half() -> None:
    found = evaluate(alarms, cases("test", 60))
    assert (found.runs, found.turned) == (60, 30)
    assert found.f1 >= 0.95
    assert found.false_per_healthy <= 1 / 20
    assert found.delay is not None
    assert found.delay <= 3
    assert found.error is not None
    assert found.error <= 3
