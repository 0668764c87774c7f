"""Limits: what is old or too much goes, what lives or is marked stays, a little at a time."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from monitor.errors import LimitsError, UnknownRunError
from monitor.store import census
from monitor.store.artifacts import grid_steps
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.counters import read_counters
from monitor.store.deletion import clear
from monitor.store.jobs import Artifacts, JobQueue
from monitor.store.limits import NONE_OWN, OwnLimits, all_limits, limits_of, set_limits
from monitor.store.pulses import read_pulses
from monitor.store.retention import keep_run, remove_silent
from monitor.store.runs import read_run, read_runs, run_ids
from monitor.store.watching import Lease, WatchStore
from monitor.types import Alert
from monitor.watch.loop import Watch
from monitor.watch.retention import CENSUS_S, DAY_S, LEAST_SILENCE_S, Limits, Retention
from monitor.watch.shard_watch import SWEEP_S
from tests.logged import logged
from tests.store.every_key import fill_every_key, mentions
from tests.store.posting import Trainer, block_of, claimed, entries, finish, samples_frame
from trainer_hooks import keys
from trainer_hooks.errors import RunDeletedError

Sweep = Callable[[Limits], None]


class Clock:
    """Goes on by as much as each look is told to take."""

    def __init__(self) -> None:
        self.now_s, self.each_s = 1000.0, 0.0

    def __call__(self) -> float:
        self.now_s += self.each_s
        return self.now_s


@pytest.fixture
def lease(store: Store) -> Lease:
    """The right to watch."""
    return leased(store)


def leased(store: Store) -> Lease:
    """The right to watch, from now on: what takes long to make is made before."""
    found = WatchStore(store, "watch").lease(0)
    assert found is not None
    return found


@pytest.fixture
def sweep(store: Store) -> Sweep:
    """Applies limits until nothing is left to do, each time as somebody who just came."""

    def until_done(limits: Limits) -> None:
        retention, lease = Retention(store, 0, limits, Clock()), leased(store)
        for _ in range(10):
            retention.sweep(lease, read_pulses(store))

    return until_done


def ended(store: Store, run: str, days: float, *, finished: bool = True) -> Trainer:
    """A run whose trainer was last heard so many days ago."""
    trainer = Trainer(store, run)
    trainer.beat(finished=finished)
    store.data.hset(keys.meta(run), "heartbeat", store.now_s() - days * DAY_S)
    return trainer


def big(queue: JobQueue, trainer: Trainer) -> None:
    """Give a run some hundred keys."""
    cells = {f"S.G/{n}": [Cell(0, 0.1, 0.1, 2, "insufficient")] for n in range(100)}
    finish(queue, trainer, [0], [0], cells)


def batches(queue: JobQueue, trainer: Trainer, image: Any, numbers: range) -> None:
    """Finished sample batches with their pictures, a hundred steps apart."""
    for number in numbers:
        trainer.post(samples_frame(image, seq=number))
        job = claimed(queue, "samples")
        assert queue.finish(
            job, block_of(job, [number], [100 * number]), artifacts=Artifacts(b"grid", b"{}")
        )


def with_alert(store: Store, run: str) -> None:
    """Something grave began at step 5000 and was seen at 5300."""
    lease = leased(store)
    alert = Alert(run, run, "mode_collapse", 5000, 5300, ("D",), "critical", "D fell.", 3.0)
    assert WatchStore(store, "watch").commit(lease, run, None, [alert]) == "stored"


#: The batches around it that stay.
NEAR = set(range(4500, 5800, 100))


def test_nothing_is_removed_by_default(store: Store, sweep: Sweep) -> None:
    for days in (0, 1000):
        ended(store, f"{days}", days)
    sweep(Limits())
    assert run_ids(store) == ["1000", "0"]


def test_age(store: Store, sweep: Sweep) -> None:
    for run, days in (("new", 29.9), ("old", 30.1), ("older", 400.0)):
        ended(store, run, days)
    lost = ended(store, "lost", 31, finished=False)
    with logged() as lines:
        sweep(Limits(days=30))
    assert run_ids(store) == ["new"]
    assert read_counters(store)["removed_runs:days"] == 3
    removal = "the run was removed: it ended 30 days ago (retain_days is 30)"
    assert ("old", removal) in [(line.get("run"), line["message"]) for line in lines]
    told = [json.loads(e[b"data"]) for e in entries(store, keys.shard_events(0))]
    reason = "it ended 400 days ago (retain_days is 30)"
    assert {"run": "older", "status": "deleted", "reason": reason} in told
    with pytest.raises(RunDeletedError):
        lost.beat()


def test_no_key_of_a_removed_run_is_left(store: Store, sweep: Sweep) -> None:
    fill_every_key(store, "gone")
    store.data.srem(keys.kept(0), "gone")
    store.data.hset(keys.meta("gone"), "heartbeat", store.now_s() - 9 * DAY_S)
    sweep(Limits(days=1))
    assert mentions(store, "gone") == [keys.shard_events(0)]


def test_what_lives_or_is_marked_stays(store: Store, sweep: Sweep) -> None:
    for run in ("marked", "tagged", "unmarked"):
        ended(store, run, 90)
    Trainer(store, "running").beat()
    keep_run(store, "marked")
    store.data.hset(keys.meta("tagged"), "tags", '["a", "keep"]')
    for limits in (Limits(days=30), Limits(nbytes=1)):
        sweep(limits)
        assert run_ids(store) == ["running", "tagged", "marked"]
    keep_run(store, "marked", on=False)
    sweep(Limits(days=30))
    assert run_ids(store) == ["running", "tagged"]


@pytest.mark.parametrize("limits", [Limits(days=0.001), Limits(nbytes=1)])
def test_trainer_that_is_silent_for_less_than_a_day_may_come_back(
    store: Store, sweep: Sweep, limits: Limits
) -> None:
    ended(store, "silent", 0.9, finished=False)
    ended(store, "done", 0.9)
    sweep(limits)
    assert set(run_ids(store)) == {"silent", "done"}


def test_bytes(store: Store, queue: JobQueue, sweep: Sweep) -> None:
    for run, days in (("oldest", 9), ("older", 8), ("newer", 7)):
        big(queue, ended(store, run, days))
    # Pushes beat, too.
    for run, days in (("oldest", 9), ("older", 8), ("newer", 7)):
        store.data.hset(keys.meta(run), "heartbeat", store.now_s() - days * DAY_S)
    sweep(Limits())
    stored = read_counters(store)["stored_bytes"]
    assert stored > 3 * 400 * 8
    # A count is rough.
    sweep(Limits(nbytes=3 * stored // 2))
    assert len(run_ids(store)) == 3
    sweep(Limits(nbytes=stored // 2))
    assert run_ids(store) == ["newer"]
    assert read_counters(store)["removed_runs:bytes"] == 2


def test_census_counts_every_run_a_page_at_a_time(
    store: Store, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in ("a b:c", "other"):
        big(queue, Trainer(store, run))
    monkeypatch.setattr(census, "COUNT", 10)
    counting = census.Census(store, 0)
    pages = 1
    while (sizes := counting.step()) is None:
        pages += 1
    assert pages > 10
    exact = {
        run: sum(
            store.data.memory_usage(key) or 0 for key in store.data.keys(keys.run_pattern(run))
        )
        for run in ("a b:c", "other")
    }
    assert set(sizes) == set(exact)
    # Redis may show a key twice while it grows its table.
    assert all(exact[run] <= sizes[run] <= 1.2 * exact[run] for run in exact)


def test_a_sweep_does_a_little(store: Store, queue: JobQueue, lease: Lease) -> None:
    for run in ("one", "two"):
        big(queue, ended(store, run, 9))
        store.data.hset(keys.meta(run), "heartbeat", store.now_s() - 9 * DAY_S)
    clock = Clock()
    clock.each_s = 0.1
    retention = Retention(store, 0, Limits(days=1), clock)
    sweeps = 0
    while run_ids(store):
        retention.sweep(lease, read_pulses(store))
        sweeps += 1
        # From the first moment on it cannot be seen half.
        assert len(read_runs(store, run_ids(store))) <= max(0, 2 - (sweeps > 0))
    assert sweeps > 3
    assert mentions(store, "one") == mentions(store, "two") == [keys.shard_events(0)]


def test_removal_that_was_interrupted_is_finished_by_the_next(
    store: Store, queue: JobQueue, lease: Lease, sweep: Sweep
) -> None:
    big(queue, ended(store, "demo", 9))
    ended(store, "other", 0)
    store.data.delete(keys.segments("demo"))
    next(clear(store, "demo"))
    assert "demo" in run_ids(store)
    sweep(Limits())
    assert run_ids(store) == ["other"]
    assert mentions(store, "demo") == [keys.shard_events(0)]


def test_events_of_runs_that_are_gone_fade(store: Store, sweep: Sweep) -> None:
    now_ms = int(store.now_s() * 1000)
    ended(store, "here", 1)
    for age_s, run in ((1300, "here"), (1200, "gone"), (500, "gone")):
        told: Any = {"event": "points", "run": run, "data": "{}"}
        store.data.xadd(keys.shard_events(0), told, id=f"{now_ms - 1000 * age_s}-0")
    sweep(Limits())
    left = [event[b"run"] for event in entries(store, keys.shard_events(0))]
    assert left == [b"here", b"gone"]


def test_run_that_came_between_two_looks_is_left_alone(
    store: Store, queue: JobQueue, any_image: Any, lease: Lease
) -> None:
    """It is listed, and the pulses are older than it is."""
    pulses = read_pulses(store)
    trainer = Trainer(store)
    batches(queue, trainer, any_image, range(2))
    trainer.scalars([0.0])
    Retention(store, 0, Limits(days=1), Clock()).sweep(lease, pulses)
    assert queue.frame(claimed(queue)) is not None
    assert grid_steps(store, "demo") == [0, 100]


def test_everything_is_checked_again_in_the_last_step(store: Store, lease: Lease) -> None:
    def removed() -> str:
        return remove_silent(store, lease, "demo", LEAST_SILENCE_S, "days")

    assert removed() == "deleted"
    trainer = ended(store, "demo", 0.5)
    assert removed() == "alive"
    ended(store, "demo-2", 9)
    store.data.hset(keys.meta("demo"), "heartbeat", store.now_s() - 9 * DAY_S)
    keep_run(store, "demo")
    assert removed() == "kept"
    keep_run(store, "demo", on=False)
    trainer.beat()
    assert removed() == "alive"
    store.data.hset(keys.meta("demo"), "heartbeat", store.now_s() - 9 * DAY_S)
    store.data.set(keys.watch_lease(0), "other|7")
    assert removed() == "lost"
    store.data.set(keys.watch_lease(0), lease.value)
    assert removed() == "removed"
    assert read_counters(store) == {"removed_runs:days": 1}


def test_pictures_are_thinned_evenly_and_kept_around_alerts(
    store: Store, queue: JobQueue, any_image: Any, sweep: Sweep
) -> None:
    batches(queue, Trainer(store), any_image, range(100))
    with_alert(store, "demo")
    sweep(Limits(grids=40))
    steps = grid_steps(store, "demo")
    assert len(steps) == 40
    assert set(steps) >= NEAR
    assert (steps[0], steps[-1]) == (0, 9900)
    modes: Any = store.data.hkeys(keys.modes("demo"))
    assert sorted(int(field.split(b":")[1]) for field in modes) == steps
    told = [
        json.loads(event[b"data"])
        for event in entries(store, keys.events("demo"))
        if event[b"event"] == b"thinned"
    ]
    assert [event["run"] for event in told] == ["demo"]
    assert sorted(told[0]["samples"] + steps) == list(range(0, 10_000, 100))
    counters = read_counters(store)
    assert (counters["thinned:grids"], counters["thinned:modes"]) == (60, 60)
    # Nothing more, until something comes.
    sweep(Limits(grids=40))
    assert grid_steps(store, "demo") == steps


def test_own_number_of_pictures(
    store: Store, queue: JobQueue, any_image: Any, sweep: Sweep
) -> None:
    for run in ("few", "many", "others"):
        batches(queue, Trainer(store, run), any_image, range(100))
        with_alert(store, run)
    set_limits(store, "few", OwnLimits(grids=30))
    set_limits(store, "many", OwnLimits(grids=90))
    sweep(Limits(grids=60))
    assert [len(grid_steps(store, run)) for run in ("few", "many", "others")] == [30, 90, 60]
    for run in ("few", "many", "others"):
        steps = grid_steps(store, run)
        assert set(steps) >= NEAR
        assert (steps[0], steps[-1]) == (0, 9900)


def test_own_age(store: Store, sweep: Sweep, caplog: pytest.LogCaptureFixture) -> None:
    for run in ("short", "long", "ever", "other"):
        ended(store, run, 40)
    marked = ended(store, "marked", 40)
    keep_run(store, marked.run)
    for run, days in (("short", 20), ("long", 50), ("ever", 0), ("marked", 20)):
        set_limits(store, run, OwnLimits(days=days))
    sweep(Limits())
    assert set(run_ids(store)) == {"long", "ever", "other", "marked"}
    assert "the run was removed: it ended 40 days ago (its own limit is 20)" in caplog.text
    sweep(Limits(days=30))
    assert set(run_ids(store)) == {"long", "ever", "marked"}
    assert all_limits(store, 0).keys() == {"long", "ever", "marked"}


def test_run_over_its_own_bytes_loses_pictures_and_another_none(
    store: Store, queue: JobQueue, any_image: Any
) -> None:
    clock = Clock()
    retention = Retention(store, 0, Limits(), clock)
    for run in ("small", "large", "unlimited"):
        trainer = ended(store, run, 9)
        batches(queue, trainer, any_image, range(100))
        names: Any = store.data.hkeys(keys.grids(run))
        store.data.hset(keys.grids(run), mapping=dict.fromkeys(names, b"x" * 20_000))
        with_alert(store, run)
        store.data.hset(keys.meta(run), "heartbeat", store.now_s() - 9 * DAY_S)
    set_limits(store, "small", OwnLimits(bytes=1_000_000))
    set_limits(store, "large", OwnLimits(bytes=10_000_000))
    lease = leased(store)
    for _ in range(4):
        clock.now_s += CENSUS_S
        retention.sweep(lease, read_pulses(store))
        retention.sweep(lease, read_pulses(store))
    # Pictures are all that it could lose, and losing them is enough.
    assert set(run_ids(store)) == {"small", "large", "unlimited"}
    steps = grid_steps(store, "small")
    assert 30 <= len(steps) <= 50
    assert set(steps) >= NEAR
    assert (steps[0], steps[-1]) == (0, 9900)
    assert store.data.hlen(keys.modes("small")) == len(steps)
    assert [len(grid_steps(store, run)) for run in ("large", "unlimited")] == [100, 100]


def test_run_that_cannot_fit_its_own_bytes_is_removed_when_it_has_ended(
    store: Store, queue: JobQueue, any_image: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    retention = Retention(store, 0, Limits(), clock)

    def counted() -> None:
        clock.now_s += CENSUS_S
        lease = leased(store)
        retention.sweep(lease, read_pulses(store))
        retention.sweep(lease, read_pulses(store))

    for run in ("over", "within", "running"):
        trainer = ended(store, run, 9)
        batches(queue, trainer, any_image, range(30))
        big(queue, trainer)
        if run != "running":
            store.data.hset(keys.meta(run), "heartbeat", store.now_s() - 9 * DAY_S)
    for run, nbytes in (("over", 3000), ("within", 10**9), ("running", 3000)):
        set_limits(store, run, OwnLimits(bytes=nbytes))
    counted()
    assert len(grid_steps(store, "over")) == len(grid_steps(store, "running")) == 10
    assert len(grid_steps(store, "within")) == 30
    counted()
    assert set(run_ids(store)) == {"over", "within", "running"}
    counted()
    assert set(run_ids(store)) == {"within", "running"}
    assert read_counters(store)["removed_runs:bytes"] == 1
    assert "the run was removed: it ended 9 days ago, and it takes" in caplog.text
    assert "(its own limit is 3,000)" in caplog.text


def test_own_limits_that_were_taken_back_remove_nothing(
    store: Store, queue: JobQueue, lease: Lease
) -> None:
    clock = Clock()
    retention = Retention(store, 0, Limits(), clock)
    big(queue, ended(store, "demo", 9))
    set_limits(store, "demo", OwnLimits(bytes=1))
    for _ in range(2):
        clock.now_s += CENSUS_S
        retention.sweep(lease, read_pulses(store))
    set_limits(store, "demo", OwnLimits(bytes=10**9))
    store.data.hset(keys.meta("demo"), "heartbeat", store.now_s() - 9 * DAY_S)
    retention.sweep(lease, read_pulses(store))
    set_limits(store, "demo", NONE_OWN)
    retention.sweep(lease, read_pulses(store))
    assert run_ids(store) == ["demo"]
    assert all_limits(store, 0) == {}


def test_own_limits_are_checked(store: Store) -> None:
    for name, value, bound in (
        ("days", -1, "from 0 on"),
        ("bytes", -1, "from 0 on"),
        ("grids", 9, "in 10 … 2000"),
        ("grids", 2001, "in 10 … 2000"),
    ):
        with pytest.raises(LimitsError, match=f"{name} is {value}; expected a number {bound}"):
            OwnLimits(**{name: value})
    with pytest.raises(LimitsError, match="days is nan"):
        OwnLimits(days=float("nan"))
    with pytest.raises(UnknownRunError, match="no run is called 'absent'"):
        set_limits(store, "absent", OwnLimits(days=1))
    assert all_limits(store, 0) == {}


@pytest.mark.parametrize("told", ["{", "[]", '{"days": "x"}', '{"grids": 1}', '{"weeks": 3}'])
def test_own_limits_that_nobody_can_read_are_none(store: Store, sweep: Sweep, told: str) -> None:
    for run in ("strange", "old"):
        ended(store, run, 9)
    store.data.hset(keys.limits(0), "strange", told)
    assert limits_of(store, "strange") == NONE_OWN
    sweep(Limits(days=1))
    assert run_ids(store) == []


def test_what_a_resume_hides_goes_first(
    store: Store, queue: JobQueue, any_image: Any, sweep: Sweep
) -> None:
    batches(queue, Trainer(store), any_image, range(30))
    batches(queue, Trainer(store, resume=True), any_image, range(10, 20))
    shown = grid_steps(store, "demo")
    assert shown == list(range(0, 2000, 100))
    sweep(Limits(grids=20))
    assert grid_steps(store, "demo") == shown
    assert store.data.hlen(keys.grids("demo")) == 20


def test_watch_applies_the_limits_and_goes_on(
    store: Store, queue: JobQueue, any_image: Any
) -> None:
    clock = Clock()
    ended(store, "old", 9)
    batches(queue, Trainer(store), any_image, range(30))
    watch = Watch(store, limits=Limits(days=1, grids=20), clock=clock)
    for _ in range(4):
        clock.now_s += SWEEP_S
        watch.tick()
    assert run_ids(store) == ["demo"]
    assert len(grid_steps(store, "demo")) == 20
    assert read_run(store, "demo").watch is not None


def test_one_strange_run_keeps_no_other(
    store: Store, queue: JobQueue, any_image: Any, sweep: Sweep, caplog: pytest.LogCaptureFixture
) -> None:
    store.data.hset(
        keys.grids(Trainer(store, "strange").run), mapping={f"{n}": "x" for n in range(50)}
    )
    batches(queue, Trainer(store), any_image, range(30))
    ended(store, "old", 9)
    sweep(Limits(days=1, grids=20))
    assert "limits stumbled" in caplog.text
    assert run_ids(store) == ["demo", "strange"]
    assert len(grid_steps(store, "demo")) == 20
