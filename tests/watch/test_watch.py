"""The loop over all runs: many may watch, some die; every alert comes once."""

import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.store.alerts import MARKS
from monitor.store.blocks import KINDS, Cell
from monitor.store.connection import Store
from monitor.store.events import PAGE, announce
from monitor.store.jobs import JobQueue
from monitor.store.runs import LOST_AFTER_S, delete_run, read_run
from monitor.watch import reading, shard_watch, ticking
from monitor.watch.loop import Watch
from monitor.watch.shard_watch import SWEEP_S
from monitor.watch.statuses import RETURN_S
from tests.logged import logged
from tests.server.mortal import MortalRedis
from tests.store.posting import Trainer, entries, finish, keys_of
from tests.watch.recorded import EVERY, STEPS, Row, expected_alerts, store_all, training
from trainer_hooks import keys


def as_raised(alert: dict[str, Any]) -> dict[str, Any]:
    """What the detector said, without what became of it."""
    return {name: value for name, value in alert.items() if name not in MARKS}


ROWS = training()
EXPECTED = [as_raised(alert.as_dict()) for alert in expected_alerts(ROWS)]
#: Longest wait for something in another thread, seconds.
WAIT_S = 20.0


class Clock:
    """Goes forward when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """The clock of all watches of a test."""
    return Clock()


def swept(watch: Watch, clock: Clock) -> None:
    """Look at everything."""
    clock.now_s += SWEEP_S
    watch.tick()


def settled(watch: Watch, clock: Clock) -> None:
    """Look until silence would be heard: a trainer that lives has come back by then."""
    for _ in range(1 + math.ceil(RETURN_S / SWEEP_S)):
        swept(watch, clock)


def lose_lease(store: Store) -> None:
    """As if its holder had been silent for too long."""
    store.data.delete(keys.watch_lease(0))


def alerts(store: Store, run: str = "demo") -> list[dict[str, Any]]:
    return [as_raised(alert) for alert in read_run(store, run).alerts]


def told(store: Store, name: str, run: str = "demo") -> list[dict[str, object]]:
    """Data of the run's events of one name."""
    return [
        json.loads(event[b"data"])
        for event in entries(store, keys.events(run))
        if event[b"event"].decode() == name
    ]


def told_alerts(store: Store) -> list[dict[str, Any]]:
    """Alerts that listeners were told of as new; they hear again when one is over."""
    return [as_raised(alert) for alert in told(store, "alert") if alert["resolved"] is None]


def statuses(store: Store, run: str = "demo") -> list[object]:
    return [event["status"] for event in told(store, "status", run)]


def stored_places(store: Store) -> object:
    """How far the stored state has come."""
    state = read_run(store, "demo").watch
    assert state is not None
    return state["places"]


def silent(store: Store, seconds: float) -> None:
    """The trainer was last heard so long ago."""
    store.data.hset(keys.meta("demo"), "heartbeat", store.now_s() - seconds)


def pieces(rows: list[Row], size: int) -> list[list[Row]]:
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def test_alerts_reach_the_run_and_its_listeners_once(
    store: Store, queue: JobQueue, clock: Clock
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    watch.tick()
    for piece in pieces(ROWS, 5 * EVERY):
        store_all(queue, trainer, piece)
        watch.tick()
    assert alerts(store) == EXPECTED
    assert told_alerts(store) == EXPECTED
    everybody = entries(store, keys.shard_events(0))
    heard = [json.loads(e[b"data"]) for e in everybody if e[b"event"] == b"alert"]
    assert heard == told(store, "alert")
    record = read_run(store, "demo")
    assert record.watch is not None
    assert set(record.watch["summary"]["metrics"]) == {"S.G", "S.D", "Q", "D"}


def over(store: Store) -> dict[Any, Any]:
    """Which alerts of the run are over, by kind and step; `recovered` only tells of them."""
    found = [alert for alert in read_run(store, "demo").alerts if alert["kind"] != "recovered"]
    return {(alert["kind"], alert["step"]): alert["resolved"] is not None for alert in found}


@pytest.mark.parametrize("dies", [False, True])
def test_alerts_are_over_once_everything_they_name_has_come_back(
    store: Store, queue: JobQueue, clock: Clock, dies: bool
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    for piece in pieces([row for row in ROWS if row.step < 1080], 5 * EVERY):
        store_all(queue, trainer, piece)
        swept(watch, clock)
        if dies:
            lose_lease(store)
            watch = Watch(store, clock=clock)
    # Q has fallen and not come back; S.G was finite again at once.
    assert over(store) == {
        ("stability", 699): True, ("turning_point", 699): False, ("nonfinite", 900): True,
    }  # fmt: skip
    store_all(queue, trainer, [row for row in ROWS if row.step >= 1080])
    swept(watch, clock)
    swept(watch, clock)
    assert over(store) == {
        ("stability", 699): True, ("turning_point", 699): True, ("nonfinite", 900): True,
        ("mode_collapse", 1300): False,
    }  # fmt: skip


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("resumed", [False, True])
def test_same_turn_is_told_once_more_after_the_training_went_back(
    store: Store, queue: JobQueue, clock: Clock, resumed: bool, dies: bool
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    store_all(queue, trainer, ROWS)
    swept(watch, clock)
    assert alerts(store) == EXPECTED
    pushed = {kind: sum(row.kind == kind for row in ROWS) for kind in KINDS}
    if resumed:
        trainer, pushed = Trainer(store, resume=True), {"weights": 0, "samples": 0}
    back = next(index for index, row in enumerate(ROWS) if row.step == 1200)
    first = {kind: next(row.seq for row in ROWS[back:] if row.kind == kind) for kind in KINDS}
    again = [row._replace(seq=row.seq - first[row.kind] + pushed[row.kind]) for row in ROWS[back:]]
    for piece in pieces(again, 2 * EVERY):
        store_all(queue, trainer, piece)
        swept(watch, clock)
        if dies:
            lose_lease(store)
            watch = Watch(store, clock=clock)
    swept(watch, clock)
    turns = [each for each in read_run(store, "demo").alerts if each["kind"] == "mode_collapse"]
    assert [alert["step"] for alert in turns] == [1300, 1300]
    assert len({alert["id"] for alert in turns}) == 2
    assert [alert["resolved"] is None for alert in turns] == [False, True]
    assert len(alerts(store)) == len(EXPECTED) + 1


@pytest.mark.parametrize("seed", range(4))
def test_watches_that_die_at_any_moment_miss_nothing_and_repeat_nothing(
    store: Store, queue: JobQueue, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    for piece in pieces(ROWS, 2 * EVERY):
        store_all(queue, trainer, piece)
        clock.now_s += chance.random() * 4
        watch.tick()
        if chance.random() < 0.4:
            # Killed: no goodbye. What it had not stored is forgotten.
            lose_lease(store)
            watch = Watch(store, clock=clock)
    swept(watch, clock)
    assert alerts(store) == EXPECTED
    assert told_alerts(store) == EXPECTED


def test_one_watches_and_the_other_stands_by(store: Store, queue: JobQueue, clock: Clock) -> None:
    first, second = Watch(store, clock=clock), Watch(store, clock=clock)
    trainer = Trainer(store)
    half = len(ROWS) // 2
    store_all(queue, trainer, ROWS[:half])
    first.tick()
    second.tick()
    first.release()
    store_all(queue, trainer, ROWS[half:])
    second.tick()
    swept(second, clock)
    first.tick()
    assert alerts(store) == EXPECTED
    assert told_alerts(store) == EXPECTED


def test_watch_that_slept_over_its_lease_begins_from_what_is_stored(
    store: Store, queue: JobQueue, clock: Clock
) -> None:
    sleeper, heir = Watch(store, clock=clock), Watch(store, clock=clock)
    trainer = Trainer(store)
    for number, piece in enumerate(pieces(ROWS, 2 * EVERY)):
        store_all(queue, trainer, piece)
        lose_lease(store)
        # They take turns, and neither knows that the other has been there.
        swept(sleeper if number % 2 else heir, clock)
    assert alerts(store) == EXPECTED
    assert told_alerts(store) == EXPECTED


def test_watch_that_slept_does_not_set_back_what_its_heir_has_stored(
    store: Store, queue: JobQueue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper, heir = Watch(store, clock=clock), Watch(store, clock=clock)
    trainer = Trainer(store)
    store_all(queue, trainer, ROWS[:200])
    swept(sleeper, clock)
    lose_lease(store)
    store_all(queue, trainer, ROWS[200:])
    swept(heir, clock)
    swept(heir, clock)
    places = stored_places(store)
    assert places == {"weights": [0, STEPS], "samples": [0, STEPS // EVERY]}
    lose_lease(store)
    monkeypatch.setattr(reading, "PAGE_ROWS", 64)
    monkeypatch.setattr(shard_watch, "FEED_S", 0.0)
    for _ in range(3):
        swept(sleeper, clock)
        assert stored_places(store) == places


def test_alert_that_could_not_be_stored_is_stored_later(
    store: Store, queue: JobQueue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    store_all(queue, trainer, ROWS)
    trainer.beat(finished=True)
    with monkeypatch.context() as patch:
        patch.setattr(shard_watch.ShardWatch, "_commit", lambda *_: None)
        watch.tick()
    assert alerts(store) == []
    watch.tick()
    assert alerts(store) == EXPECTED


def test_gap_is_looked_at_again_without_an_event(
    store: Store, queue: JobQueue, clock: Clock
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    hole = 300
    store_all(queue, trainer, [row for row in ROWS if row.kind == "samples"])
    weights = [row for row in ROWS if row.kind == "weights"]
    store_all(queue, trainer, [row for row in weights if row.seq < hole])
    watch.tick()
    store_all(queue, trainer, [row for row in weights if row.seq > hole])
    swept(watch, clock)
    swept(watch, clock)
    assert not [alert for alert in alerts(store) if alert["kind"] == "nonfinite"]
    clock.now_s += 61
    watch.tick()
    assert [alert for alert in alerts(store) if alert["kind"] == "nonfinite"]


def test_state_is_stored_now_and_then_and_only_if_it_moved(
    store: Store, queue: JobQueue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[str] = []
    commit = shard_watch.ShardWatch._commit

    def counted(self: shard_watch.ShardWatch, run: str, watched: object) -> None:
        commits.append(run)
        commit(self, run, watched)  # type: ignore[arg-type]

    monkeypatch.setattr(shard_watch.ShardWatch, "_commit", counted)
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    for row in range(5):
        finish(queue, trainer, [row], [row], {"S.G": [Cell(0, 0.1)]})
        watch.tick()
    assert commits == []
    swept(watch, clock)
    swept(watch, clock)
    swept(watch, clock)
    assert commits == ["demo"]
    assert read_run(store, "demo").watch is not None


def test_status_is_told_when_it_changes(store: Store, clock: Clock) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    swept(watch, clock)
    swept(watch, clock)
    assert statuses(store) == ["running"]
    silent(store, LOST_AFTER_S + 5)
    swept(watch, clock)
    swept(watch, clock)
    assert statuses(store) == ["running", "lost"]
    trainer.beat()
    swept(watch, clock)
    trainer.beat(finished=True)
    swept(watch, clock)
    assert statuses(store) == ["running", "lost", "running", "finished"]
    everybody = [e for e in entries(store, keys.shard_events(0)) if e[b"event"] == b"status"]
    assert len(everybody) == 4


def test_change_of_status_is_told_once_whoever_watches(store: Store, clock: Clock) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    swept(watch, clock)
    lose_lease(store)
    silent(store, LOST_AFTER_S + 5)
    for _ in range(3):
        watch = Watch(store, clock=clock)
        settled(watch, clock)
        lose_lease(store)
    assert statuses(store) == ["running", "lost"]
    trainer.beat(finished=True)
    swept(Watch(store, clock=clock), clock)
    assert statuses(store) == ["running", "lost", "finished"]


def test_lost_trainer_is_one_alert_for_each_loss(
    store: Store, queue: JobQueue, clock: Clock
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    trainer.scalars([0.0], first=41)
    silent(store, LOST_AFTER_S + 5)
    heartbeat_s = float(store.data.hget(keys.meta("demo"), "heartbeat") or 0)
    settled(watch, clock)
    # A worker that is late, and another watch, do not make it another loss.
    finish(queue, trainer, [42], [42], {})
    store.data.hset(keys.meta("demo"), "heartbeat", heartbeat_s)
    lose_lease(store)
    watch = Watch(store, clock=clock)
    settled(watch, clock)
    (found,) = alerts(store)
    assert (found["kind"], found["severity"]) == ("trainer_lost", "critical")
    assert found["message"] == "Trainer lost: no sign of life after step 41."
    assert (found["step"], found["time"]) == (41, heartbeat_s)
    trainer.beat()
    swept(watch, clock)
    silent(store, LOST_AFTER_S + 1)
    swept(watch, clock)
    found_now = read_run(store, "demo").alerts
    assert [alert["kind"] for alert in found_now] == ["trainer_lost"] * 2
    # It came back between, and another watch saw that.
    assert [alert["resolved"] is not None for alert in found_now] == [True, False]


@pytest.mark.parametrize("away", ["Redis", "the watch"])
def test_trainers_that_had_nobody_to_speak_to_are_not_lost(
    store: Store, clock: Clock, away: str
) -> None:
    living, watch = Trainer(store), Watch(store, clock=clock)
    Trainer(store, "dead")
    settled(watch, clock)
    for run in ("demo", "dead"):
        store.data.hset(keys.meta(run), "heartbeat", store.now_s() - LOST_AFTER_S - 60)
    clock.now_s += 60
    lose_lease(store)
    watch = watch if away == "Redis" else Watch(store, clock=clock)
    swept(watch, clock)
    living.beat()
    settled(watch, clock)
    assert statuses(store) == ["running"]
    assert alerts(store) == []
    assert statuses(store, "dead") == ["running", "lost"]
    assert [alert["kind"] for alert in alerts(store, "dead")] == ["trainer_lost"]


def test_trainer_that_told_of_its_end_is_lost_at_once(store: Store, clock: Clock) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    trainer.scalars([0.0], first=41)
    trainer.beat()
    store.data.hset(keys.meta("demo"), "crash", "RuntimeError: CUDA out of memory")
    # Before a living trainer would have been heard: this one has spoken.
    swept(watch, clock)
    swept(watch, clock)
    (found,) = alerts(store)
    assert (found["kind"], found["severity"]) == ("trainer_lost", "critical")
    assert found["message"] == "Trainer lost after step 41: RuntimeError: CUDA out of memory"
    assert statuses(store) == ["lost"]


def test_crash_is_one_loss_whenever_and_by_whom_it_is_noticed(store: Store, clock: Clock) -> None:
    trainer = Trainer(store)
    for _ in range(3):
        # What is still to be sent goes on arriving, also days later by `sqd sync`.
        trainer.link.beat({}, {}, finished=True, crash="ValueError: bad")
        settled(Watch(store, clock=clock), clock)
        lose_lease(store)
    assert [found["kind"] for found in alerts(store)] == ["trainer_lost"]
    trainer.beat()
    swept(Watch(store, clock=clock), clock)
    lose_lease(store)
    trainer.link.beat({}, {}, finished=True, crash="ValueError: bad")
    swept(Watch(store, clock=clock), clock)
    assert len(alerts(store)) == 2


def test_trainer_lost_before_its_first_step(store: Store, clock: Clock) -> None:
    Trainer(store)
    silent(store, LOST_AFTER_S + 5)
    settled(Watch(store, clock=clock), clock)
    (found,) = alerts(store)
    assert (found["step"], found["message"]) == (
        None, "Trainer lost: no sign of life before its first step.",
    )  # fmt: skip


def test_deleted_run_is_forgotten(store: Store, queue: JobQueue, clock: Clock) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    finish(queue, trainer, [0], [0], {"S.G": [Cell(0, 0.1)]})
    swept(watch, clock)
    finish(queue, trainer, [1], [1], {"S.G": [Cell(0, 0.1)]})
    watch.tick()
    delete_run(store, "demo")
    for _ in range(3):
        swept(watch, clock)
    watch.release()
    assert not [key for key in keys_of(store) if ":demo:" in key]


def test_one_strange_run_does_not_blind_the_watch(
    store: Store, queue: JobQueue, clock: Clock
) -> None:
    for name in ("a strange one", "demo"):
        store_all(queue, Trainer(store, name), ROWS[:900])
    store.data.hset(keys.watch("a strange one"), "state", '{"version": 2, "detector": 5}')
    watch = Watch(store, clock=clock)
    with logged() as lines:
        for _ in range(3):
            swept(watch, clock)
    found = alerts(store)
    assert [alert["kind"] for alert in found] == ["stability", "turning_point"]
    (strange,) = [line for line in lines if line["message"] == "the run cannot be watched"]
    assert (strange["run"], strange["step"] > 0) == ("a strange one", True)
    assert "exception" in strange
    # Each alert is a line, with the step that gave it away.
    told = [line for line in lines if "turning_point: " in line["message"]]
    assert [(line["run"], line["step"]) for line in told] == [("demo", found[1]["detected_step"])]


def test_rows_are_found_though_their_events_were_too_many(
    store: Store, queue: JobQueue, clock: Clock
) -> None:
    trainer, watch = Trainer(store), Watch(store, clock=clock)
    watch.tick()
    for _ in range(3 * PAGE):
        announce(store, "another", "points", {})
    store_all(queue, trainer, ROWS)
    trainer.beat(finished=True)
    watch.tick()
    assert alerts(store) == EXPECTED


def test_ended_runs_are_not_kept_in_memory(store: Store, queue: JobQueue, clock: Clock) -> None:
    watch = Watch(store, clock=clock)
    for number in range(5):
        trainer = Trainer(store, f"run {number}")
        finish(queue, trainer, [0], [0], {"S.G": [Cell(0, 0.1)]})
        trainer.beat(finished=True)
    for _ in range(3):
        swept(watch, clock)
    (shard,) = watch._shards
    assert shard._watched == {}
    finish(queue, trainer, [1], [1], {"S.G": [Cell(0, 0.1)]})
    swept(watch, clock)
    assert list(shard._watched) == ["run 4"]
    assert shard._watched["run 4"].watch.places["weights"] == [0, 2]


def test_long_backlog_is_fed_in_turns_that_keep_the_lease(
    store: Store, queue: JobQueue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.watch.reading.PAGE_ROWS", 64)
    monkeypatch.setattr(shard_watch, "FEED_S", 0.0)
    store_all(queue, Trainer(store), ROWS)
    watch = Watch(store, clock=clock)
    ticks = 0
    while len(alerts(store)) < len(EXPECTED):
        watch.tick()
        ticks += 1
        assert ticks < 200
    assert ticks > 10
    assert alerts(store) == EXPECTED


def until(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


def test_outage_of_redis_is_waited_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ticking, "TICK_S", 0.02)
    caplog.set_level(logging.WARNING)
    redis = MortalRedis(tmp_path)
    queue = JobQueue(redis.store, "worker")
    queue.ensure_groups()
    watch = Watch(redis.store)
    thread = threading.Thread(target=watch.run)
    try:
        store_all(queue, Trainer(redis.store), ROWS[:1200])
        thread.start()
        until(lambda: len(alerts(redis.store)) == len(expected_alerts(ROWS[:1200])))
        redis.kill()
        until(lambda: "the watch waits" in caplog.text)
        time.sleep(0.3)
        redis.start()
        trainer = Trainer(redis.store, "second")
        store_all(queue, trainer, ROWS)
        # S may be there before Q and D are: then it has recovered by itself.
        expected = {alert["kind"] for alert in EXPECTED}
        until(lambda: {alert["kind"] for alert in alerts(redis.store, "second")} == expected)
        assert caplog.text.count("the watch waits") == 1
    finally:
        watch.stop()
        thread.join(WAIT_S)
        redis.close()
    assert not thread.is_alive()
    assert len({alert.id for alert in expected_alerts(ROWS)}) == len(EXPECTED) == 6


def test_run_gives_its_lease_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticking, "TICK_S", 0.02)
    watch = Watch(store)
    thread = threading.Thread(target=watch.run)
    thread.start()
    until(lambda: bool(store.data.exists(keys.watch_lease(0))))
    watch.stop()
    thread.join(WAIT_S)
    assert not store.data.exists(keys.watch_lease(0))
