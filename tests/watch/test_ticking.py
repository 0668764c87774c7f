"""The rhythm: whatever a tick raises, the next one comes; an outage is told once."""

import logging
import threading
from collections.abc import Iterator

import pytest

from monitor.errors import StoreError
from monitor.watch import ticking


def test_goes_on_after_anything(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ticking, "TICK_S", 0.001)
    caplog.set_level(logging.WARNING)
    stopping = threading.Event()
    away = StoreError("Redis is away")
    outcomes: Iterator[Exception | None] = iter([away, away, None, away, KeyError("strange"), None])

    def tick() -> None:
        outcome = next(outcomes, stopping)
        if outcome is stopping:
            stopping.set()
        elif isinstance(outcome, Exception):
            raise outcome

    ticking.tick_until(stopping, tick, "the watch")
    assert [record.getMessage() for record in caplog.records] == [
        "the watch waits: Redis is away",
        "the watch waits: Redis is away",
        "the watch stumbled and goes on",
    ]
