"""The one-sided CUSUM: exact sums, where a change begins, and what it forgets."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.turning.block import Observation
from monitor.turning.cusum import ALLOWANCE, CEILING, Cusum
from monitor.turning.settings import QUALITY, STABILITY, Family


def add(cusum: Cusum, step: int, units: float, family: Family = STABILITY) -> None:
    """One observation so many standard units (here of 1) in the bad direction."""
    value = units * family.bad
    cusum.add(Observation(step, step, None, value, value), 0.0, 1.0, family)


def test_the_sum_and_the_onset_of_a_step() -> None:
    cusum = Cusum()
    for step, units in enumerate([0.5, -3.0, 1.0, 3.25, 3.25, 3.25]):
        add(cusum, step, units)
    assert (cusum.sum, cusum.onset) == (6.0, 3)
    assert cusum.extreme == 3.25


def test_a_change_in_the_good_direction_is_no_evidence() -> None:
    cusum = Cusum()
    for step in range(20):
        add(cusum, step, -4.0)
    assert (cusum.sum, cusum.onset) == (0.0, None)


def test_falls_count_for_quality() -> None:
    cusum = Cusum()
    add(cusum, 7, 4.0, QUALITY)
    assert (cusum.sum, cusum.onset, cusum.extreme) == (4.0 - ALLOWANCE, 7, -4.0)


def test_no_single_observation_is_enough() -> None:
    for family in (STABILITY, QUALITY):
        cusum = Cusum()
        add(cusum, 0, 1e6, family)
        assert cusum.sum < family.agree


def test_swings_add_up_although_half_of_the_batches_are_good() -> None:
    cusum = Cusum()
    for step in range(12):
        add(cusum, step, 5.0 if step % 2 else -5.0, QUALITY)
    assert cusum.sum > QUALITY.alone


def test_the_onset_moves_on_while_there_is_next_to_no_evidence() -> None:
    cusum = Cusum()
    for step, units in enumerate([1.5, 1.5, 1.5, 1.5, 5.0, 5.0]):
        add(cusum, step, units)
    assert cusum.onset == 4


def test_what_creeps_longer_than_real_falls_do_is_dropped() -> None:
    cusum = Cusum()
    add(cusum, 0, 4.0)
    sums = []
    for step in range(1, STABILITY.patience + 1):
        add(cusum, step, ALLOWANCE + 0.1)
        sums.append(cusum.sum)
    assert min(sums[:-1]) > 2.0
    assert sums[-1] == 0.0


@given(st.lists(st.floats(-50, 50), max_size=60))
def test_the_sum_stays_in_bounds_and_has_an_onset_when_it_is_not_zero(units: list[float]) -> None:
    cusum = Cusum()
    for step, value in enumerate(units):
        add(cusum, step, value)
        assert 0.0 <= cusum.sum <= CEILING * STABILITY.alone
        assert (cusum.onset is None) == (cusum.sum == 0.0)
        assert cusum.onset is None or cusum.onset <= step
