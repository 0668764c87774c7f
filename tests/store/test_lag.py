"""How far evaluation is behind, as REST and Prometheus tell it."""

from monitor.store.lag import behind, dead_letters, outstanding_bytes, queued_jobs, read_lag
from monitor.store.runs import read_run
from tests.server.laboratory import EPOCH_S, Laboratory
from trainer_hooks import keys


def test_nothing_pushed_is_no_lag(laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]})
    assert behind(read_run(laboratory.store, "demo"), "samples", 0.0) == (0, 0.0)


def test_evaluated_is_no_lag_however_old(laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]}, steps=[7])
    assert behind(read_run(laboratory.store, "demo"), "weights", EPOCH_S + 1e6) == (0, 0.0)


def test_waiting_push_is_a_lag_since_the_newest_result(laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]}, steps=[7])
    laboratory.arrived(run, 20)
    record = read_run(laboratory.store, "demo")
    assert behind(record, "weights", EPOCH_S + 7 + 2.5) == (13, 2.5)


def test_without_a_result_it_counts_from_the_start(laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.arrived(run, 20)
    record = read_run(laboratory.store, "demo")
    assert behind(record, "weights", record.segments[-1].started + 4.0) == (20, 4.0)


def test_resumed_run_counts_from_where_it_stood(laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]}, steps=[100])
    run.finish()
    again = laboratory.start("demo", resume=True)
    laboratory.arrived(again, 103)
    record = read_run(laboratory.store, "demo")
    steps, seconds = behind(record, "weights", record.segments[-1].started + 1.0)
    assert (steps, seconds) == (3, 1.0)


def test_clocks_that_differ_give_no_negative_lag(laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]}, steps=[7])
    laboratory.arrived(run, 8)
    assert behind(read_run(laboratory.store, "demo"), "weights", 0.0) == (1, 0.0)


def test_what_waits_is_counted(laboratory: Laboratory) -> None:
    store = laboratory.store
    one, two = laboratory.start("one"), laboratory.start("two")
    laboratory.arrived(one, 1)
    laboratory.arrived(two, 1)
    laboratory.arrived(two, 2)
    store.data.xadd(keys.dead_letters(0), {"run": "one", "job": "broken"})
    assert queued_jobs(store) == {"fast": 3, "samples": 0}
    assert dead_letters(store) == 1
    bytes_one, bytes_two = outstanding_bytes(store, ["one", "two"])
    assert 0 < bytes_one < bytes_two
    assert outstanding_bytes(store, []) == []
    lag = read_lag(store, read_run(store, "two"), store.now_s())
    assert (lag.queued_jobs, lag.outstanding_bytes, lag.dead_letters) == (3, bytes_two, 1)
