"""The request to stop: asked once, told once, only to the process that trained then."""

import json

import pytest

from monitor.errors import UnknownRunError
from monitor.store.connection import Store
from monitor.store.control import MOST_BY, MOST_REASON, ask_to_stop, stop_of, withdraw
from monitor.store.runs import delete_run
from tests.store.posting import Trainer, entries
from trainer_hooks import keys


def told(store: Store, stream: str) -> list[dict[str, object]]:
    """Data of the `stop` events of a stream."""
    found = [entry for entry in entries(store, stream) if entry[b"event"] == b"stop"]
    return [json.loads(entry[b"data"]) for entry in found]


def test_request_is_there_until_it_is_withdrawn(store: Store) -> None:
    Trainer(store)
    assert stop_of(store, "demo") is None
    assert ask_to_stop(store, "demo", "rule D < 2", "D is 1.3 at step 900")
    stop = stop_of(store, "demo")
    assert stop is not None
    assert (stop.by, stop.reason, stop.told) == ("rule D < 2", "D is 1.3 at step 900", None)
    assert stop.asked == pytest.approx(store.now_s(), abs=60)
    assert withdraw(store, "demo")
    assert stop_of(store, "demo") is None
    assert not withdraw(store, "demo")
    expected = [{"run": "demo", "stop": stop.as_dict()}, {"run": "demo", "stop": None}]
    assert told(store, keys.events("demo")) == expected
    assert told(store, keys.shard_events(0)) == expected


def test_first_of_two_requests_stays(store: Store) -> None:
    Trainer(store)
    assert ask_to_stop(store, "demo", "one")
    first = stop_of(store, "demo")
    assert not ask_to_stop(store, "demo", "two")
    assert stop_of(store, "demo") == first
    assert len(told(store, keys.events("demo"))) == 1


def test_request_is_not_for_the_process_that_resumes(store: Store) -> None:
    Trainer(store)
    ask_to_stop(store, "demo", "one")
    Trainer(store, resume=True)
    assert stop_of(store, "demo") is None
    assert ask_to_stop(store, "demo", "two")
    again = stop_of(store, "demo")
    assert again is not None
    assert again.by == "two"


def test_text_is_cut_and_may_be_anything(store: Store) -> None:
    odd = "100% \x00 <b> ☃ 损失"
    run = "*?[a] 100% ☃"
    Trainer(store, run)
    ask_to_stop(store, run, odd + "x" * MOST_BY, "\ud800" + "y" * 2 * MOST_REASON)
    stop = stop_of(store, run)
    assert stop is not None
    assert stop.by.startswith(odd)
    assert stop.reason.startswith("?y")
    assert (len(stop.by), len(stop.reason)) == (MOST_BY, MOST_REASON)
    assert told(store, keys.events(run))[0]["stop"] == stop.as_dict()


def test_unknown_run_is_named_and_a_deleted_one_leaves_nothing(store: Store) -> None:
    for call in (stop_of, withdraw, lambda store, run: ask_to_stop(store, run, "one")):
        with pytest.raises(UnknownRunError, match="'demo'"):
            call(store, "demo")
    Trainer(store)
    ask_to_stop(store, "demo", "one")
    delete_run(store, "demo")
    assert not store.data.exists(keys.control("demo"))
    with pytest.raises(UnknownRunError):
        ask_to_stop(store, "demo", "two")
