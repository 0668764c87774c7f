"""The watch's lease, and what it stores in one step."""

import json
import time

import pytest

from monitor.store import watching
from monitor.store.connection import Store
from monitor.store.events import read_after
from monitor.store.runs import read_run
from monitor.store.watching import Lease, WatchStore
from monitor.types import Alert
from tests.store.posting import Trainer
from trainer_hooks import keys


def alert(number: int) -> Alert:
    return Alert(f"id{number}", "demo", "quality", 1, 2, ("Q",), "warning", "Q fell.", number)


def events(store: Store) -> list[str]:
    return [event.name for event in read_after(store, keys.events("demo"), "0-0")]


@pytest.fixture
def mine(store: Store) -> WatchStore:
    """A watch called `mine`."""
    return WatchStore(store, "mine")


@pytest.fixture
def lease(store: Store, mine: WatchStore) -> Lease:
    """Held by `mine`; there is a run."""
    Trainer(store)
    found = mine.lease(0)
    assert found is not None
    return found


def test_one_holds_the_lease_and_renews_it(store: Store, mine: WatchStore, lease: Lease) -> None:
    assert mine.lease(0) == lease
    assert WatchStore(store, "other").lease(0) is None


def test_lease_that_ran_out_goes_to_the_next_with_a_higher_number(
    store: Store, mine: WatchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LEASE_MS", 30)
    first = mine.lease(0)
    time.sleep(0.1)
    second = WatchStore(store, "other").lease(0)
    assert first is not None
    assert second is not None
    fences = [int(lease.value.rpartition("|")[2]) for lease in (first, second)]
    assert fences[1] > fences[0]


def test_released_lease_is_free_and_a_lost_one_is_not_released(
    store: Store, mine: WatchStore, lease: Lease
) -> None:
    mine.release(lease)
    other = WatchStore(store, "other")
    taken = other.lease(0)
    assert taken is not None
    mine.release(lease)
    assert other.lease(0) == taken


def test_commit_stores_state_status_and_alerts_and_tells_of_them_once(
    store: Store, mine: WatchStore, lease: Lease
) -> None:
    for _ in range(2):
        answer = mine.commit(lease, "demo", {"summary": 5}, [alert(1), alert(2)], status="lost")
        assert answer == "stored"
    record = read_run(store, "demo")
    assert record.watch == {"summary": 5}
    assert record.alerts == [alert(1).as_dict(), alert(2).as_dict()]
    assert events(store) == ["status", "alert", "alert"]
    told = read_after(store, keys.shard_events(0), "0-0")
    assert [(event.name, event.run) for event in told] == [
        ("status", "demo"), ("alert", "demo"), ("alert", "demo"),
    ]  # fmt: skip
    assert json.loads(told[0].data) == {"run": "demo", "status": "lost"}
    assert json.loads(told[2].data) == alert(2).as_dict()


def test_status_and_state_are_left_alone_unless_given(
    store: Store, mine: WatchStore, lease: Lease
) -> None:
    mine.commit(lease, "demo", {"summary": 1}, status="running")
    mine.commit(lease, "demo", None, status="running")
    mine.commit(lease, "demo", {"summary": 2})
    assert events(store) == ["status"]
    assert read_run(store, "demo").watch == {"summary": 2}
    mine.commit(lease, "demo", None, status="finished")
    assert events(store) == ["status", "status"]
    assert read_run(store, "demo").watch == {"summary": 2}


def test_old_lease_is_refused_and_changes_nothing(
    store: Store, mine: WatchStore, lease: Lease
) -> None:
    mine.release(lease)
    other = WatchStore(store, "other")
    assert other.lease(0) is not None
    assert mine.commit(lease, "demo", {"late": True}, [alert(1)], status="lost") == "lost"
    record = read_run(store, "demo")
    assert (record.watch, record.alerts, events(store)) == (None, [], [])
    # Not even its owner may use it again: meanwhile another has watched.
    assert mine.lease(0) is None
