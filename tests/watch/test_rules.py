"""The user's rules under watch: any metric, killed at any moment, over REST or from the file."""

import random
from typing import Any

import pytest

from monitor.alerts.rule import Rule, parse_rule
from monitor.errors import StoreUnavailableError
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.control import stop_of
from monitor.store.jobs import JobQueue
from monitor.store.rows import read_rows
from monitor.store.rules import delete_rule, keep_rule
from monitor.store.runs import read_run
from monitor.watch import reading, shard_watch
from monitor.watch.loop import Watch
from tests.store.posting import START_S, Trainer, finish
from tests.watch.test_watch import Clock, lose_lease, swept


@pytest.fixture
def clock() -> Clock:
    """The clock of all watches of a test."""
    return Clock()


def rule_alerts(store: Store, run: str = "demo") -> list[dict[str, Any]]:
    return [alert for alert in read_run(store, run).alerts if alert["kind"] == "rule"]


def told(store: Store, run: str = "demo") -> list[tuple[Any, ...]]:
    """Rule, onset, step, and when it was over, relative to step 0."""
    return [
        (a["rule"], a["step"], a["detected_step"],
         None if a["resolved"] is None else a["resolved"] - START_S)
        for a in rule_alerts(store, run)
    ]  # fmt: skip


class Pushes:
    """Rows of a run, one a step."""

    def __init__(self, store: Store, queue: JobQueue, run: str = "demo") -> None:
        self._store, self._queue = store, queue
        self.trainer = Trainer(store, run)
        self.resume_from(0)

    def resume_from(self, step: int) -> None:
        """Number rows from 0 and steps from `step`."""
        self._row, self._step = 0, step

    def resume(self, step: int) -> None:
        """Another process goes on."""
        self.trainer = Trainer(self._store, self.trainer.run, resume=True)
        self.resume_from(step)

    def scalars(self, *values: float | None, name: str = "loss.D") -> None:
        """Store values as one block; None is not finite."""
        cells = [
            Cell(i, value, status="ok" if value is not None else "nonfinite")
            for i, value in enumerate(values)
        ]
        count = len(values)
        seq = range(self._row, self._row + count)
        steps = range(self._step, self._step + count)
        finish(self._queue, self.trainer, seq, steps, {name: cells})
        self._row, self._step = self._row + count, self._step + count

    def batch(self, number: int, **values: float) -> None:
        """Store one sample batch; its step is a hundred times its number."""
        cells = {name: [Cell(0, value)] for name, value in values.items()}
        finish(self._queue, self.trainer, [number], [100 * number], cells, kind="samples")


@pytest.fixture
def pushes(store: Store, queue: JobQueue) -> Pushes:
    """Of the run `demo`."""
    return Pushes(store, queue)


def rules(*given: Any) -> list[Rule]:
    return [parse_rule(each) for each in given]


def test_rule_of_any_scalar(store: Store, pushes: Pushes, clock: Clock) -> None:
    watch = Watch(store, rules=rules("loss.D == 0 for 3 steps", "Q < 0.5"), clock=clock)
    pushes.scalars(1, 1, 0, 0, 0, 0, 0)
    pushes.batch(0, Q=0.2, D=3.0)
    swept(watch, clock)
    assert told(store) == [
        ("Q < 0.5", 0, 0, None),
        ("loss.D == 0 for 3 steps", 2, 5, None),
    ]
    found = rule_alerts(store)[1]
    assert found["message"] == "loss.D == 0 for 3 steps: loss.D is 0 at step 5, since step 2."
    assert (found["metrics"], found["severity"]) == (["loss.D"], "warning")
    pushes.scalars(1, 1, 1, 1, 1)
    swept(watch, clock)
    assert told(store)[1][3] == 10


def test_nonfinite_and_metrics_that_come_later(store: Store, pushes: Pushes, clock: Clock) -> None:
    watch = Watch(store, rules=rules("late nonfinite"), clock=clock)
    pushes.scalars(1, 2)
    swept(watch, clock)
    pushes.scalars(1, None, None, 2, name="late")
    swept(watch, clock)
    assert told(store) == [("late nonfinite", 3, 3, 5)]


def test_only_what_rules_name_is_read(
    store: Store, pushes: Pushes, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[str] = set()

    def noted(store: Any, place: Any, span: range, metrics: Any) -> Any:
        asked.update(metrics)
        return read_rows(store, place, span, metrics)

    monkeypatch.setattr(reading, "read_rows", noted)
    pushes.scalars(1, name="S.G")
    pushes.scalars(1, name="lr")
    pushes.scalars(1, name="beta")
    swept(Watch(store, rules=rules("lr > 5", "absent > 1"), clock=clock), clock)
    assert asked == {"S.G", "lr"}


@pytest.mark.parametrize("seed", range(4))
def test_watches_that_die_at_any_moment_repeat_and_miss_nothing(
    store: Store, pushes: Pushes, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    given = rules({"when": "loss.D > 0 for 2 batches", "cooldown": "0 s"}, "loss.D < -9")
    watch = Watch(store, rules=given, clock=clock)
    values = [random.Random(5).choice([-10.0]) if i % 50 == 7 else (1.0 if i // 10 % 2 else -1.0)
              for i in range(200)]  # fmt: skip
    while values:
        size = chance.randint(1, 15)
        pushes.scalars(*values[:size])
        del values[:size]
        clock.now_s += chance.random() * 6
        watch.tick()
        if chance.random() < 0.5:
            lose_lease(store)
            watch = Watch(store, rules=given, clock=clock)
    swept(watch, clock)
    ons = [(step, when) for name, step, when, _ in told(store) if name.startswith("loss.D >")]
    assert ons == [(10 + 20 * i, 11 + 20 * i) for i in range(10)]
    over = [over for name, _, _, over in told(store) if name.startswith("loss.D >")]
    assert over == [21.0 + 20 * i for i in range(9)] + [None]
    low = [(step, over) for name, step, _, over in told(store) if name == "loss.D < -9"]
    assert low == [(7.0, 8.0)]  # Then its cooldown lasts.


def test_rules_of_rest_come_and_go(store: Store, pushes: Pushes, clock: Clock) -> None:
    watch = Watch(store, clock=clock)
    pushes.scalars(1, 1)
    swept(watch, clock)
    rule = parse_rule("loss.D > 0")
    keep_rule(store, rule.id, rule.told)
    swept(watch, clock)
    assert told(store) == []  # From now on.
    pushes.scalars(1)
    swept(watch, clock)
    assert told(store) == [("loss.D > 0", 2, 2, None)]
    delete_rule(store, rule.id)
    swept(watch, clock)
    watch.tick()
    (found,) = rule_alerts(store)
    assert found["resolved"] is not None
    pushes.scalars(-1, 1)
    swept(watch, clock)
    assert len(rule_alerts(store)) == 1


def test_stored_rule_that_cannot_be_read_hurts_nobody(
    store: Store, pushes: Pushes, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    keep_rule(store, "strange", {"when": "D ~ 2"})
    watch = Watch(store, rules=rules("loss.D > 0"), clock=clock)
    pushes.scalars(1)
    swept(watch, clock)
    swept(watch, clock)
    assert len(rule_alerts(store)) == 1
    assert caplog.text.count("'strange' is left out") == 1


def test_rule_of_one_run(store: Store, queue: JobQueue, clock: Clock) -> None:
    runs = [Pushes(store, queue, name) for name in ("one", "two")]
    for each in runs:
        each.scalars(1)
    swept(Watch(store, rules=rules({"when": "loss.D > 0", "run": "two"}), clock=clock), clock)
    assert rule_alerts(store, "one") == []
    assert len(rule_alerts(store, "two")) == 1


def test_stop_is_asked_of_the_process_that_did_it(
    store: Store, pushes: Pushes, clock: Clock
) -> None:
    given = rules({"when": "loss.D > 0", "action": "stop", "name": "too bad", "cooldown": "0 s"})
    watch = Watch(store, rules=given, clock=clock)
    pushes.scalars(-1, 1)
    swept(watch, clock)
    stop = stop_of(store, "demo")
    assert stop is not None
    assert (stop.by, stop.reason) == ("rule too bad", "too bad: loss.D is 1 at step 1.")
    pushes.scalars(-1, 1)
    pushes.resume(4)
    pushes.scalars(-1)
    swept(watch, clock)
    # What the older process did last is no reason to stop this one.
    assert len(rule_alerts(store)) == 2
    assert stop_of(store, "demo") is None


def test_stop_that_could_not_be_asked_for_is_asked_for_again(
    store: Store, pushes: Pushes, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(store, rules=rules({"when": "loss.D > 0", "action": "stop"}), clock=clock)
    pushes.scalars(1)

    def away(*_: Any) -> bool:
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(shard_watch, "ask_to_stop", away)
        with pytest.raises(StoreUnavailableError):
            swept(watch, clock)
    assert rule_alerts(store) == []
    watch.tick()
    assert len(rule_alerts(store)) == 1
    assert stop_of(store, "demo") is not None


def test_rules_that_tell_of_one_event_follow_the_first(
    store: Store, pushes: Pushes, clock: Clock
) -> None:
    given = rules("loss.D > 0", "loss.D > 1", {"when": "loss.D > 2", "severity": "critical"})
    pushes.scalars(5)
    swept(Watch(store, rules=given, clock=clock), clock)
    first, *others = rule_alerts(store)
    by_rule = {alert["rule"]: alert for alert in (first, *others)}
    assert by_rule["loss.D > 1"]["follows"] == by_rule["loss.D > 0"]["id"]
    assert by_rule["loss.D > 2"]["follows"] is None
