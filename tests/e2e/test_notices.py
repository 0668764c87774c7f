"""The real server tells a real webhook of a rule of its settings, once, though it is killed."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.control import stop_of
from monitor.store.deliveries import read_deliveries
from monitor.store.embedded import EmbeddedRedis
from monitor.store.jobs import JobQueue
from tests.alerts.mailboxes import SECRET, WAIT_S, Webhook
from tests.e2e.conftest import Product
from tests.store.posting import Trainer, finish

pytestmark = pytest.mark.e2e


def until(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.05)


def test_rule_of_the_settings_reaches_the_channel_once(
    store: Store, embedded: EmbeddedRedis, webhook: Webhook, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    rules = "loss.D > 0 for 2 batches"
    (tmp_path / "sqd.toml").write_text(f'[[rules]]\nwhen = "{rules}"\naction = "stop"\n')
    monkeypatch.setenv("SQD_NOTIFY", webhook.url)
    queue = JobQueue(store, "worker")
    queue.ensure_groups()
    trainer = Trainer(store)
    (tmp_path / "home").mkdir()
    command = ("server", "--redis-url", embedded.redis_url, "--verbose")
    server = Product(tmp_path / "home", *command)
    try:
        finish(queue, trainer, [0, 1], [0, 1], {"loss.D": [Cell(0, 1.0), Cell(1, 1.0)]})
        until(lambda: [e["state"] for e in read_deliveries(store, "demo")] == ["sent"])
        server.process.kill()
        server.process.wait(WAIT_S)
        server.close()
        first = "\n".join(server.output)
        server = Product(tmp_path / "home", *command)
        # The heir has read on when it ends what is over.
        finish(queue, trainer, [2, 3], [2, 3], {"loss.D": [Cell(0, -1.0), Cell(1, -1.0)]})
        until(lambda: "resolved" in server_says(server))
        assert server.interrupt() == 0
    finally:
        server.close()
    (body,) = webhook.received
    assert body["title"] == f"demo: {rules}"
    assert body["message"].endswith("/runs/demo")
    stop = stop_of(store, "demo")
    assert stop is not None
    assert stop.by == f"rule {rules}"
    assert SECRET not in first + "\n".join(server.output)


def server_says(server: Product) -> str:
    """The state of the only alert, as REST tells it."""
    address = f"{server.url}/api/runs/demo/alerts"
    # A server that has just started reads a lot, and other tests are at work beside it.
    (alert,) = httpx.get(address, trust_env=False, timeout=WAIT_S).json()
    return "resolved" if alert["resolved"] is not None else "open"
