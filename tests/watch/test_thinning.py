"""Which pictures stay: evenly over the run, and those around alerts."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.watch.thinning import AROUND, around, thinned


def left(steps: list[int], most: int, spared: set[int] | None = None) -> list[int]:
    gone = set(thinned(steps, most, spared or set()))
    return [step for i, step in enumerate(steps) if i not in gone]


def alert(
    step: int | None, severity: str = "warning", detected: int | None = None
) -> dict[str, Any]:
    return {"step": step, "detected_step": detected, "severity": severity}


def test_exact() -> None:
    assert left([0, 1, 2, 3, 4, 5, 6, 7, 8], 5) == [0, 2, 4, 6, 8]
    assert left([0, 10, 11, 20, 30], 4) == [0, 10, 20, 30]
    assert left([0, 10, 11, 20, 30], 4, spared={2}) == [0, 11, 20, 30]
    assert left([5], 1) == [5]
    assert left([], 1) == []
    # The ends stay, whatever is asked for.
    assert left([1, 2, 3], 1) == [1, 3]


def test_run_that_grows_stays_even() -> None:
    kept: list[int] = []
    for step in range(0, 200_000, 100):
        kept = left([*kept, step], 50)
        assert len(kept) <= 50
        assert (kept[0], kept[-1]) == (0, step)
    gaps = [later - earlier for earlier, later in itertools.pairwise(kept[:-1])]
    # As far apart as can be had without moving what is kept: doubles of each other.
    assert max(gaps) <= 4 * min(gaps)


@given(
    st.lists(st.integers(0, 10**9), unique=True, max_size=60).map(sorted),
    st.integers(2, 40),
    st.sets(st.integers(0, 59)),
)
def test_laws(steps: list[int], most: int, spared: set[int]) -> None:
    spared = {i for i in spared if i < len(steps)}
    gone = set(thinned(steps, most, spared))
    assert not gone & (spared | {0, len(steps) - 1})
    count = len(steps) - len(gone)
    assert count == len(steps) if len(steps) <= most else count >= most
    ends = {0, len(steps) - 1} if steps else set()
    if len(spared | ends) <= most:
        assert count == min(len(steps), most)


def test_some_before_and_some_after_an_alert() -> None:
    steps = list(range(0, 1000, 10))
    assert around(steps, [alert(500)], 50) == set(range(50 - AROUND, 50 + AROUND))
    both = around(steps, [alert(500, detected=700)], 50)
    assert both == {*range(50 - AROUND, 50 + AROUND), *range(70 - AROUND, 70 + AROUND)}
    assert around(steps, [alert(0), alert(10**9)], 50) == {*range(AROUND), *range(95, 100)}
    assert around(steps, [alert(None)], 50) == set()
    assert around([], [alert(3)], 50) == set()


@pytest.mark.parametrize("severity", ["critical", "warning"])
def test_gravest_then_newest_claim_first(severity: str) -> None:
    steps = list(range(100))
    info = [alert(step, "info") for step in range(0, 100, 10)]
    assert around(steps, [*info, alert(20, severity)], 2 * AROUND) == set(range(15, 25))
    assert around(steps, [alert(20, severity), alert(60, severity)], 2 * AROUND) == set(
        range(55, 65)
    )
