"""Sentences with the right figures."""

import pytest

from monitor.turning.change import Change
from monitor.turning.messages import describe, describe_nonfinite

DIVERSITY = Change("D", "D", 10_200, 11_000, 3.21, 1.3, 6.1)
QUALITY = Change("Q", "Q", 10_400, 11_000, 0.902, 0.313, 12.04)
JUMP = Change("S.D", "S", 9_600, 9_800, 0.0005, 0.0216, 25.0)


def test_two_metrics() -> None:
    found = describe("turning_point", [DIVERSITY, QUALITY], [JUMP], 11_000)
    assert (found.step, found.detected_step, found.kind) == (10_200, 11_000, "turning_point")
    assert found.metrics == ("D", "Q", "S.D")
    assert found.severity == "critical"
    assert found.message == (
        "D fell from 3.2 to 1.3 (6.1σ) between steps 10,200 and 11,000; "
        "Q followed (0.90 to 0.31); S.D had risen 43-fold at step 9,600. Mode collapse."
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (JUMP, "S.D rose 43-fold (25.0σ) between steps 9,600 and 9,800."),
        (
            Change("S.G", "S", 1, 20, 0.004, 0.0124, 3.0),
            "S.G rose 3.1-fold (3.0σ) between steps 1 and 20.",
        ),
        (
            Change("S.G", "S", 1, 20, 0.004, 0.006, 3.0),
            "S.G rose by 50% (3.0σ) between steps 1 and 20.",
        ),
        (
            Change("D", "D", 1, 20, 3.04, 2.88, 3.0),
            "D fell from 3.04 to 2.88 (3.0σ) between steps 1 and 20.",
        ),
        (DIVERSITY, "D fell from 3.2 to 1.3 (6.1σ) between steps 10,200 and 11,000."),
    ],
)
def test_a_warning_says_what_moved_and_no_more(change: Change, sentence: str) -> None:
    found = describe("stability", [change], [], change.step)
    assert (found.message, found.severity) == (sentence, "warning")


def test_nonfinite() -> None:
    one, two = describe_nonfinite(1200, ["Q"]), describe_nonfinite(1200, ["S.G", "S.D"])
    assert one.message == "Q is NaN or infinite since step 1,200."
    assert two.message == "S.G and S.D are NaN or infinite since step 1,200."
