"""The real product as an operator sees it: readiness, and logs that programs read."""

import functools
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from monitor.client import Client
from tests.alerts.mailboxes import SECRET, Webhook
from tests.cli.product import Product
from tests.server.mortal import MortalRedis
from tests.store.posting import Trainer
from trainer_hooks import keys

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

TOKEN, PASSWORD = "t0ken-of-this-test", "pa55word-of-this-test"
RUN = 'a "strange" run {0} é'


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[MortalRedis]:
    """One that wants a password."""
    (tmp_path / "redis").mkdir()
    found = MortalRedis(tmp_path / "redis", PASSWORD)
    yield found
    found.close()


@pytest.fixture
def environment(redis: MortalRedis, webhook: Webhook) -> dict[str, str]:
    """Of server and worker, with every secret that there is."""
    webhook.status = 500
    return {
        "SQD_REDIS_URL": redis.url,
        "SQD_TOKEN": TOKEN,
        "SQD_NOTIFY": webhook.url,
        "SQD_NOTIFY_FROM": "info",
        "SQD_RULES": "loss > 0.5",
        "SQD_LOG_FORMAT": "json",
        "SQD_VERBOSE": "true",
    }


@pytest.fixture
def server(tmp_path: Path, environment: dict[str, str]) -> Iterator[Product]:
    """`sqd server` that logs all it can."""
    found = Product(tmp_path / "server", "server", "--port", "0", environment=environment)
    yield found
    found.close()


@pytest.fixture
def crew(tmp_path: Path, environment: dict[str, str]) -> Iterator["Crew"]:
    """Workers of the fast lane."""
    found = Crew(tmp_path, environment)
    yield found
    for worker in found.workers:
        worker.close()


class Crew:
    """Starts workers."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self._root, self._environment = root, environment
        self.workers: list[Product] = []

    def hire(self) -> Product:
        """One more, which needs no torch."""
        home = self._root / "worker"
        worker = Product(home, "worker", "--lane", "fast", environment=self._environment)
        self.workers.append(worker)
        return worker


def readiness(server: Product) -> tuple[int, dict[str, bool]]:
    """Status and body of `/readyz`."""
    try:
        with urlopen(f"{server.url}/readyz", timeout=30) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def becomes(server: Product, *, redis: bool, worker: bool) -> None:
    """Wait until that is what it says."""
    wanted = (200 if redis and worker else 503, {"redis": redis, "worker": worker})
    server.until(lambda: readiness(server) == wanted, f"never {wanted}")


def events(product: Product) -> list[dict[str, Any]]:
    """What it has logged; all that it writes but its address."""
    return [json.loads(line) for line in product.output if not line.startswith("dashboard: ")]


def says(product: Product, words: str) -> bool:
    """Whether it has logged something with these words."""
    return any(words in event["message"] for event in events(product))


def test_ready_while_redis_and_a_worker_are_there(
    redis: MortalRedis, server: Product, crew: Crew
) -> None:
    becomes(server, redis=True, worker=False)
    first = crew.hire()
    becomes(server, redis=True, worker=True)
    os.kill(first.process.pid, signal.SIGKILL)  # It says no goodbye: its beat runs out.
    becomes(server, redis=True, worker=False)
    second = crew.hire()
    becomes(server, redis=True, worker=True)
    redis.kill()
    becomes(server, redis=False, worker=False)
    with urlopen(f"{server.url}/healthz", timeout=30) as answer:
        assert answer.status == 200
    # Both say, in their own words, what they wait for.
    for product, words in ((server, "the watch waits: "), (second, "lane fast waits: ")):
        product.until(functools.partial(says, product, words), f"never said {words!r}")
    redis.start()
    becomes(server, redis=True, worker=True)
    second.stop(signal.SIGTERM)
    becomes(server, redis=True, worker=False)


def test_logs_are_objects_with_run_and_step_and_without_secrets(
    redis: MortalRedis, server: Product, crew: Crew
) -> None:
    client = Client(server.url, TOKEN)
    assert list(client.runs()) == []
    trainer = Trainer(redis.store, RUN, first_row=40)
    trainer.beat(G=3)
    trainer.scalars([0.25, 0.75], first=40)
    trainer.scalars([0.25], first=42)
    frames: Any = redis.store.blobs.keys(keys.blob_pattern(RUN))
    redis.store.blobs.set(sorted(frames)[-1], b"no frame")
    worker = crew.hire()
    lost = worker.until(
        lambda: [event for event in events(worker) if event["level"] == "error"], "no complaint"
    )[0]
    assert (lost["run"], lost["step"], lost["logger"]) == (RUN, 42, "monitor.worker.loop")
    assert "is given up: " in lost["message"]

    def told() -> list[dict[str, Any]]:
        return [event for event in events(server) if "rule: " in event["message"]]

    alert = server.until(told, "no alert is logged")[0]
    assert (alert["run"], alert["step"], alert["level"]) == (RUN, 41, "info")
    assert "loss > 0.5" in alert["message"]
    assert client.alerts(RUN)[0]["detected_step"] == 41
    worker.stop(signal.SIGTERM)
    server.stop(signal.SIGTERM)
    for product in (worker, server):
        assert all({"time", "level", "logger", "message"} <= set(each) for each in events(product))
        written = "\n".join(product.output)
        assert not any(secret in written for secret in (TOKEN, PASSWORD, SECRET))
