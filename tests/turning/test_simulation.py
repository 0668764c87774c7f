"""Simulated runs: what their plans promise, and halves that share no seed."""

import pytest

from monitor.turning.replay import Record
from monitor.turning.simulation import HEALTHY, TURNING, Pattern, Plan, cases, simulate


def values(records: list[Record], name: str) -> list[float]:
    found = [record.values.get(name) for record in records]
    return [value for value in found if value is not None]


def test_they_repeat_exactly_and_differ_by_seed() -> None:
    first, again, other = (simulate(Plan("collapse"), seed) for seed in (1, 1, 2))
    assert first == again
    assert first.records != other.records
    assert len(first.records) == 12_000
    assert len(values(first.records, "Q")) == 60


def test_missing_metrics_and_other_rhythms() -> None:
    plan = Plan("calm", batches=50, batch_every=500, weights_every=10, families="SD")
    records = simulate(plan, 1).records
    assert {name for record in records for name in record.values} == {"S.G", "S.D", "D"}
    assert [record.step for record in records[:2]] == [10, 20]
    assert len(values(records, "D")) == 50
    assert {record.epoch for record in records} == {None}
    epochs = simulate(Plan("calm", batches=100, batch_every=1), 1).records
    assert [record.epoch for record in epochs] == [float(i) for i in range(1, 101)]


def test_a_critic_trains_five_times_as_often() -> None:
    angles = values(simulate(Plan("calm", loss="wgan"), 1).records, "S.G")
    assert angles.count(0.0) == len(angles) * 4 / 5


def test_a_penalty_makes_learning_slow_and_quiet() -> None:
    plain, bound = (simulate(Plan("calm", penalty=p), 3).records for p in (False, True))
    assert sum(values(bound, "Q")) < sum(values(plain, "Q"))


@pytest.mark.parametrize("pattern", TURNING)
def test_a_turning_point_hurts_from_its_step_on(pattern: Pattern) -> None:
    run = simulate(Plan(pattern), 5)
    assert run.turn is not None
    before = [r for r in run.records if run.turn - 3000 <= r.step < run.turn]
    after = [r for r in run.records if r.step >= run.turn + 2400]
    for name in ("Q", "D"):
        mean = sum(values(after, name)) / len(values(after, name))
        assert mean < 0.9 * sum(values(before, name)) / len(values(before, name))


@pytest.mark.parametrize("pattern", HEALTHY)
def test_a_healthy_run_has_none(pattern: Pattern) -> None:
    assert simulate(Plan(pattern), 5).turn is None


def test_halves_have_seeds_of_their_own() -> None:
    tuning, test = list(cases("tuning", 6)), list(cases("test", 6))
    assert [case.turn is None for case in test] == [False, True] * 3
    assert not [case for case in tuning if case.records in [other.records for other in test]]
    assert [case.name for case in cases("test", 4)] == [case.name for case in test[:4]]
