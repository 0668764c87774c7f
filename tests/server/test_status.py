"""A run's status from heartbeat to browser: lost when they stop, running when they return."""

from collections.abc import Iterator

import httpx
import pytest

from monitor.store.runs import LOST_AFTER_S
from monitor.watch.loop import Watch
from monitor.watch.shard_watch import SWEEP_S
from monitor.watch.statuses import LONGEST_PAUSE_S, RETURN_S
from monitor.watch.ticking import TICK_S
from tests.server.laboratory import Laboratory
from tests.server.listening import EventStream
from trainer_hooks import clients, keys, sender

#: Longest time for which a killed trainer may be shown as running, seconds (the promise).
SHOWN_S = 30.0


class Clock:
    """Goes forward when told to."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Watched:
    """A watch whose time the test moves."""

    def __init__(self, laboratory: Laboratory) -> None:
        self._clock = Clock()
        self.watch = Watch(laboratory.store, clock=self._clock)
        self.sweep(RETURN_S)
        self.sweep(SWEEP_S)

    def sweep(self, seconds: float = SWEEP_S) -> None:
        self._clock.now_s += seconds
        self.watch.tick()


@pytest.fixture
def watched(laboratory: Laboratory) -> Iterator[Watched]:
    found = Watched(laboratory)
    yield found
    found.watch.release()


def killed(laboratory: Laboratory, seconds: float) -> None:
    """A run whose trainer was killed so long ago by the Redis clock."""
    run = laboratory.start("demo")
    laboratory.arrived(run, 0)
    laboratory.crash(run, silence_s=seconds)


def next_status(stream: EventStream) -> str:
    while True:
        event = stream.next()
        if event.name == "status":
            return str(event.data["status"])


def shown(client: httpx.Client) -> list[str]:
    """What the list and the page of the only run say."""
    (run,) = client.get("/api/runs").json()
    return [run["status"], client.get(f"/api/runs/{run['id']}").json()["status"]]


def test_open_pages_hear_that_a_trainer_was_killed_and_that_it_is_back(
    client: httpx.Client, laboratory: Laboratory, watched: Watched
) -> None:
    killed(laboratory, 0)
    watched.sweep()
    address = str(client.base_url)
    with (
        EventStream(address, "/api/runs/demo/events") as page,
        EventStream(address, "/api/events") as everybody,
    ):
        assert next_status(page) == "running"
        assert shown(client) == ["running", "running"]
        heartbeat_s = laboratory.store.now_s() - LOST_AFTER_S - 1
        laboratory.store.data.hset(keys.meta("demo"), "heartbeat", heartbeat_s)
        # REST needs nobody who watches.
        assert shown(client) == ["lost", "lost"]
        watched.sweep()
        assert next_status(page) == "lost"
        assert next_status(everybody) == "lost"
        laboratory.arrived(laboratory.start("demo", resume=True), 1)
        watched.sweep()
        assert next_status(page) == "running"
        assert next_status(everybody) == "running"
        assert shown(client) == ["running", "running"]


@pytest.mark.parametrize(("seconds", "status"), [(LOST_AFTER_S - 5, "running"), (SHOWN_S, "lost")])
def test_status_goes_by_the_silence(
    client: httpx.Client, laboratory: Laboratory, seconds: float, status: str
) -> None:
    killed(laboratory, seconds)
    assert shown(client) == [status, status]


def test_killed_trainer_is_told_in_time_and_a_living_one_never() -> None:
    assert LOST_AFTER_S + SWEEP_S + TICK_S < SHOWN_S
    # A beat that hung, the wait until the next try, the connection, and one more beat.
    away_s = clients.SOCKET_TIMEOUT_S + sender.RETRY_LONGEST_S + clients.CONNECT_TIMEOUT_S
    assert away_s + sender.BEAT_INTERVAL_S < LOST_AFTER_S
    assert sender.RETRY_LONGEST_S + sender.BEAT_INTERVAL_S < RETURN_S
    assert SWEEP_S + TICK_S < LONGEST_PAUSE_S
