"""Wrong tokens are slowed, right ones never; on a clock that the test moves."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import httpx
import pytest
from fastapi import HTTPException, Request

from monitor.server import throttle
from monitor.server.app import create_app
from monitor.server.throttle import FREE_FAILURES, LONGEST_WAIT_S, Throttle, caller_of
from monitor.store.connection import Store
from tests.server.listening import serving

#: As many failures as reach the longest wait.
MANY = 20


class Clock:
    """Time that passes only by the pauses, and their record."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    async def pause(self, wait_s: float) -> None:
        """Let the time pass."""
        self.pauses.append(wait_s)
        self.now_s += wait_s


@pytest.fixture
def clock() -> Clock:
    """Starts anywhere."""
    return Clock()


@pytest.fixture
def client(store: Store, clock: Clock) -> Iterator[httpx.Client]:
    """Of a server that slows on that clock."""
    app = create_app(store, token="right", throttle=Throttle(clock, clock.pause))
    with serving(app) as found:
        yield found


def test_waits_double_up_to_a_bound(clock: Clock) -> None:
    found = Throttle(clock)
    waits = [found.wait_s("one") for _ in range(MANY)]
    assert waits[:FREE_FAILURES] == [0.0] * FREE_FAILURES
    slowed = waits[FREE_FAILURES:]
    assert slowed[:3] == [0.25, 0.5, 1.0]
    assert all(later in (2 * wait, LONGEST_WAIT_S) for wait, later in pairwise(slowed))
    assert slowed[-1] == LONGEST_WAIT_S
    assert found.wait_s("another") == 0.0


def test_time_forgives(clock: Clock) -> None:
    found = Throttle(clock)
    for _ in range(MANY):
        found.wait_s("one")
    clock.now_s += throttle.FORGIVEN_S
    assert found.wait_s("one") == LONGEST_WAIT_S
    clock.now_s += throttle.FORGIVEN_S + 1
    assert found.wait_s("one") == 0.0


def test_memory_is_bounded(clock: Clock) -> None:
    found = Throttle(clock)
    for number in range(2 * throttle.MOST_CALLERS):
        found.wait_s(f"192.0.2.{number}")
    assert found.callers == throttle.MOST_CALLERS


@pytest.mark.parametrize(
    ("host", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1:2", "2001:db8::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_network_is_one_caller(host: str, caller: str) -> None:
    assert caller_of(host) == caller


def test_answers_held_back_are_bounded() -> None:
    request = Request({"type": "http", "client": ("192.0.2.7", 1)})

    async def check() -> None:
        gone = asyncio.Event()

        async def pause(wait_s: float) -> None:
            await gone.wait()

        found = Throttle(pause=pause)
        for _ in range(FREE_FAILURES):
            await found.hold(request)
        held = [asyncio.create_task(found.hold(request)) for _ in range(throttle.MOST_WAITING)]
        await asyncio.sleep(0)  # all of them have come to their pause
        with pytest.raises(HTTPException) as refused:
            await found.hold(request)
        assert refused.value.status_code == 429
        assert refused.value.headers == {"Retry-After": "8"}
        gone.set()
        await asyncio.gather(*held)
        await found.hold(request)

    # A thread of its own: a browser of another test may have left its loop in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(check())).result()


@pytest.mark.parametrize("way", ["bearer", "login", "form", "cookie", "page"])
def test_every_way_in_is_slowed_but_for_the_right_token(
    client: httpx.Client, clock: Clock, way: str
) -> None:
    def guess(token: str) -> int:
        if way == "bearer":
            answer = client.get("/api/runs", headers={"Authorization": f"Bearer {token}"})
        elif way == "cookie":
            answer = client.get("/api/runs", headers={"Cookie": "sqd_session=9999999999.0"})
        elif way == "page":  # It shows who is logged in already.
            answer = client.get("/login", headers={"Cookie": "sqd_session=9999999999.0"})
        elif way == "login":
            answer = client.post("/api/login", json={"token": token})
        else:
            answer = client.post("/api/login", data={"token": token})
        return answer.status_code

    refused = {"cookie": 401, "page": 200}.get(way, 403)
    assert [guess("wrong") for _ in range(MANY)] == [refused] * MANY
    assert len(clock.pauses) == MANY - FREE_FAILURES
    assert clock.pauses[-1] == LONGEST_WAIT_S
    right = {"Authorization": "Bearer right"}
    assert client.get("/api/runs", headers=right).status_code == 200
    assert client.post("/api/login", json={"token": "right"}).status_code == 204
    assert len(clock.pauses) == MANY - FREE_FAILURES


def test_nobody_is_slowed_for_saying_nothing(client: httpx.Client, clock: Clock) -> None:
    for _ in range(MANY):
        assert client.get("/api/runs").status_code == 401
    assert clock.pauses == []
