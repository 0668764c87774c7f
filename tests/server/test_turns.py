"""Queries of curves take turns, and what is read whole waits for nobody."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from monitor.server.curves import AT_ONCE, Curves
from tests.server.laboratory import Laboratory

PATH = "/api/runs/demo/series"
#: Longest wait for what has to come, seconds.
WAIT_S = 30


def test_so_many_at_a_time(
    client: httpx.Client, laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1]})
    entered, leave = threading.Semaphore(0), threading.Event()
    read = Curves.read

    def slow(*args: Any) -> Any:
        entered.release()
        assert leave.wait(WAIT_S)
        return read(*args)

    monkeypatch.setattr(Curves, "read", slow)
    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        asked = [pool.submit(client.get, PATH) for _ in range(AT_ONCE + 1)]
        assert all(entered.acquire(timeout=WAIT_S) for _ in range(AT_ONCE))
        whole = client.get(PATH, params={"points": 0})
        third = entered.acquire(timeout=0.5)
        leave.set()
        answers = [each.result(WAIT_S).status_code for each in asked]
    assert whole.status_code == 200
    assert not third
    assert answers == [200] * (AT_ONCE + 1)
