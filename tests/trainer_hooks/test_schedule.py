"""Which calls are due: pairs stay adjacent, costs stay in bounds, batches come when they should."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer_hooks.schedule import (
    WARMUP_CALLS,
    BackgroundCost,
    EpochEnds,
    SampleSchedule,
    WeightSchedule,
)


def due_calls(schedule: WeightSchedule, calls: int, interval_s: float, cost_s: float) -> list[int]:
    """Numbers of the calls that take a snapshot, at `interval_s` and `cost_s`."""
    due = []
    for call in range(calls):
        if schedule.due(call * interval_s):
            due.append(call)
            schedule.took(cost_s)
    return due


def test_every_call_while_it_is_cheap() -> None:
    assert due_calls(WeightSchedule(1, 0.02), 100, 1.0, 0.001) == list(range(100))


@given(st.integers(2, 20))
def test_every_nth_pair_is_of_adjacent_calls(every: int) -> None:
    due = due_calls(WeightSchedule(every, 1.0), 10 * every, 1.0, 0.0)
    assert due == [first + i for first in range(0, 10 * every, every) for i in (0, 1)]


@given(st.floats(0.001, 0.9), st.sampled_from([0.01, 0.02, 0.1]))
def test_thinned_until_the_share_is_kept_and_always_in_pairs(cost_s: float, share: float) -> None:
    schedule = WeightSchedule(1, share)
    due = due_calls(schedule, 4000, 1.0, cost_s)
    late = [call for call in due if 2000 <= call < 3999]
    assert len(late) * cost_s / 2000 <= share * 1.1
    assert [call for call in late if not {call - 1, call + 1} & set(due)] == []
    assert cost_s > share or due == list(range(4000))


def test_work_of_our_own_threads_counts() -> None:
    spent_s = [0.0]
    background = BackgroundCost(lambda: spent_s[0])
    schedule = WeightSchedule(1, 0.02, lambda: background.each_s)
    due = []
    for call in range(4000):
        if schedule.due(float(call)):
            due.append(call)
            schedule.took(0.001)
            background.took(float(call))
            # In bursts, as they work: nothing for most snapshots, much for a few.
            spent_s[0] += 0.8 if len(due) % 8 == 0 else 0.0
    late = [call for call in due if call >= 2000]
    assert len(late) * (0.001 + 0.1) / 2000 <= 0.02 * 1.1
    assert len(late) > 200


def test_first_calls_are_no_measure() -> None:
    schedule = WeightSchedule(1, 0.02)
    for call in range(50):
        assert schedule.due(float(call))
        schedule.took(10.0 if call < WARMUP_CALLS else 0.0)


def test_steps_in_between_may_be_skipped() -> None:
    schedule = SampleSchedule(100)
    due = [step for step in range(1, 1000, 30) if _sampled(schedule, step)]
    assert due == [121, 211, 301, 421, 511, 601, 721, 811, 901]


def test_step_that_begins_at_a_multiple_is_due_at_once_and_once() -> None:
    schedule = SampleSchedule(100)
    assert [_sampled(schedule, step) for step in (0, 0, 1, 100, 100, 199, 200)] == [
        True,
        False,
        False,
        True,
        False,
        False,
        True,
    ]


def test_steps_that_go_back_are_taken_as_a_new_start() -> None:
    schedule = SampleSchedule(10)
    assert [_sampled(schedule, step) for step in (5, 12, 3, 10, 25)] == [
        False,
        True,
        False,
        True,
        True,
    ]


def test_epochs() -> None:
    schedule = SampleSchedule("epoch")
    epochs = [None, 0.0, 0.5, 0.9, 1.0, 1.0, None, 2.3, 2.4, 0.0]
    assert [_sampled(schedule, 1, epoch) for epoch in epochs] == [
        False, True, False, False, True, False, False, True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("cost_s", [0.01, 0.5])
def test_auto_takes_one_percent_of_the_time(cost_s: float) -> None:
    schedule = SampleSchedule("auto")
    spent_s, now_s = 0.0, 0.0
    for step in itertools.count():
        now_s += 0.05
        if now_s > 500:
            break
        if schedule.due(step, None, now_s, busy=False):
            now_s += cost_s
            spent_s += cost_s
            schedule.took(cost_s, now_s)
    assert spent_s / now_s <= 0.012
    assert spent_s > 0


def test_auto_waits_for_the_worker() -> None:
    schedule = SampleSchedule("auto")
    assert not schedule.due(0, None, 0.0, busy=True)
    assert schedule.due(1, None, 0.0, busy=False)
    schedule.took(0.0, 0.0)
    assert not schedule.due(2, None, 100.0, busy=True)
    assert schedule.due(3, None, 100.0, busy=False)


def _sampled(schedule: SampleSchedule, step: int, epoch: float | None = None) -> bool:
    due = schedule.due(step, epoch, 0.0, busy=True)
    schedule.seen(step, epoch)
    return due


@pytest.mark.parametrize(
    "each", [lambda step: step // 4, lambda step: step / 4], ids=["whole", "parts"]
)
def test_ends_of_epochs_are_foretold_from_the_second_on(each: Any) -> None:
    ends = EpochEnds()
    assert [step for step in range(17) if ends.see(each(step))] == [7, 11, 15]
    assert not ends.see(None)


def test_an_epoch_of_another_length_is_foretold_wrongly_once() -> None:
    ends = EpochEnds()
    epochs = [0] * 5 + [1] * 3 + [2] * 3 + [3] * 6 + [4] * 6
    found = [i for i, epoch in enumerate(epochs) if ends.see(epoch)]
    # Epoch 1 is shorter than epoch 0, so nothing is told; epoch 3 longer than epoch 2.
    assert found == [10, 13, 22]
