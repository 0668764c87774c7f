"""One run under watch: the alerts are those of the detector, whatever happens on the way."""

import json
import random
from collections.abc import Sequence

import pytest

from monitor.errors import UnknownRunError
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.jobs import JobQueue
from monitor.types import Alert
from monitor.watch import reading
from monitor.watch.run_watch import RunWatch
from tests.store.posting import START_S, Trainer
from tests.watch.recorded import EVERY, Row, expected_alerts, store_all, store_rows, training

ROWS = training()
EXPECTED = expected_alerts(ROWS)


def feed(store: Store, watch: RunWatch) -> list[Alert]:
    """Everything that is ready."""
    alerts = watch.advance(store, 0.0)
    while watch.more:
        alerts += watch.advance(store, 0.0)
    return alerts


def reborn(watch: RunWatch) -> RunWatch:
    """Another watch that goes on from what this one left, as it lies in Redis."""
    return RunWatch(watch.run, json.loads(json.dumps(watch.state())))


def pieces(rows: Sequence[Row], size: int) -> list[list[Row]]:
    """Stretches of rows as they were pushed."""
    return [list(rows[first : first + size]) for first in range(0, len(rows), size)]


def test_recorded_training_has_alerts_of_every_kind() -> None:
    assert [(alert.kind, alert.step) for alert in EXPECTED] == [
        ("stability", 699),
        ("turning_point", 699),
        ("nonfinite", 900),
        ("recovered", 901),
        ("recovered", 1100),
        ("mode_collapse", 1300),
    ]


@pytest.mark.parametrize("page", [64, 2048])
def test_backlog_gives_what_live_would_have(
    store: Store, queue: JobQueue, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", page)
    store_all(queue, Trainer(store), ROWS)
    assert feed(store, RunWatch("demo")) == EXPECTED


def test_live_in_small_blocks(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    watch, alerts = RunWatch("demo"), []
    for piece in pieces(ROWS, EVERY + 1):
        store_all(queue, trainer, piece)
        alerts += feed(store, watch)
    assert alerts == EXPECTED
    assert watch.state()["summary"]["metrics"].keys() == {"S.G", "S.D", "Q", "D"}


def test_blocks_finished_out_of_order_and_a_watch_that_dies(store: Store, queue: JobQueue) -> None:
    chance = random.Random(3)
    trainer = Trainer(store)
    blocks = [
        block
        for kind in ("weights", "samples")
        for block in pieces([row for row in ROWS if row.kind == kind], 37)
    ]
    # Locally out of order, as with several workers.
    blocks.sort(key=lambda block: block[0].step + chance.random() * 150)
    watch, alerts = RunWatch("demo"), []
    for block in blocks:
        store_rows(queue, trainer, block)
        alerts += feed(store, watch)
        if chance.random() < 0.3:
            watch = reborn(watch)
    # Which of S and Q was there first decides the small alerts, not the great ones.
    assert {"turning_point", "nonfinite", "mode_collapse"} <= {alert.kind for alert in alerts}
    assert [alert for alert in alerts if alert.kind == "nonfinite"] == [
        alert for alert in EXPECTED if alert.kind == "nonfinite"
    ]
    assert len({alert.id for alert in alerts}) == len(alerts)


def test_fed_again_after_a_crash_the_same_alerts_come(store: Store, queue: JobQueue) -> None:
    trainer = Trainer(store)
    stored = RunWatch("demo").state()
    found: dict[str, Alert] = {}
    for number, piece in enumerate(pieces(ROWS, 2 * EVERY)):
        store_all(queue, trainer, piece)
        watch = RunWatch("demo", json.loads(json.dumps(stored)))
        for alert in feed(store, watch):
            assert found.setdefault(alert.id, alert) == alert
        # Only every third time what it knew is stored before it dies.
        stored = watch.state() if number % 3 == 2 else stored
    assert list(found.values()) == EXPECTED


@pytest.mark.parametrize(
    "state", [{"version": 0}, {"version": 2, "detector": {"version": -1}, "places": {}}]
)
def test_state_of_another_version_starts_anew(
    store: Store, queue: JobQueue, state: dict[str, object]
) -> None:
    store_all(queue, Trainer(store), ROWS[:100])
    watch = RunWatch("demo", state)
    feed(store, watch)
    assert watch.places == {"weights": [0, 95], "samples": [0, 5]}


def test_losses_and_gradients_are_fed(store: Store, queue: JobQueue) -> None:
    chance = random.Random(1)
    rows = [
        Row(
            "weights",
            step,
            step,
            {
                "loss.D": Cell(0, (1.2 if step < 2000 else 0.01) * chance.uniform(0.5, 1.5)),
                "grad.G": Cell(0, (2.0 if step < 2500 else 0.001) * chance.uniform(0.5, 1.5)),
            },
        )
        for step in range(4000)
    ]
    store_all(queue, Trainer(store), rows)
    alerts = feed(store, RunWatch("demo"))
    assert [alert.kind for alert in alerts] == ["discriminator_saturated", "generator_starved"]


@pytest.mark.parametrize("sensitivity", ["low", "high"])
def test_another_sensitivity_holds_from_the_next_start_on(
    store: Store, queue: JobQueue, sensitivity: str
) -> None:
    store_all(queue, Trainer(store), ROWS[:200])
    before = RunWatch("demo")
    feed(store, before)
    after = RunWatch("demo", json.loads(json.dumps(before.state())), sensitivity=sensitivity)
    assert after.places == before.places
    assert after.state()["detector"] == {**before.state()["detector"], "sensitivity": sensitivity}


def test_unknown_run_is_named(store: Store) -> None:
    with pytest.raises(UnknownRunError, match="'demo'"):
        RunWatch("demo").advance(store, 0.0)


def over_at(watch: RunWatch) -> dict[str, float]:
    """When what is over now was, in seconds after the start."""
    return {name: time_s - START_S for name, time_s in watch.take_over().items()}


@pytest.mark.parametrize("dies", [False, True])
def test_early_warning_is_over_when_its_state_is(store: Store, queue: JobQueue, dies: bool) -> None:
    chance = random.Random(1)
    rows = [
        Row("weights", step, step, {"loss.D": Cell(0, level * chance.uniform(0.5, 1.5))})
        for step, level in enumerate([1.2] * 2000 + [0.01] * 1000 + [1.2] * 1000)
    ]
    trainer, watch = Trainer(store), RunWatch("demo")
    store_all(queue, trainer, rows[:3000])
    (warned,) = feed(store, watch)
    assert over_at(watch) == {}
    if dies:
        watch = RunWatch("demo", json.loads(json.dumps(watch.state())), [warned.as_dict()])
    store_all(queue, trainer, rows[3000:])
    (back,) = feed(store, watch)
    assert (warned.kind, back.kind) == ("discriminator_saturated", "recovered")
    ((name, time_s),) = over_at(watch).items()
    assert name == warned.id
    assert time_s >= (back.detected_step or 0) > 3000


def test_watch_that_starts_anew_takes_no_alert_for_over_before_it_has_seen_it_again(
    store: Store, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", 64)
    store_all(queue, Trainer(store), ROWS)
    watch = RunWatch("demo", {"version": 0}, [alert.as_dict() for alert in EXPECTED])
    assert feed(store, watch) == EXPECTED
    over = over_at(watch)
    still = [alert.kind for alert in EXPECTED if alert.id not in over]
    assert still == [
        "recovered",
        "recovered",
        "mode_collapse",
    ]
