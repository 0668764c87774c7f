"""The product as processes: what it starts it ends, what it keeps it keeps."""

import os
import signal
import socket
import stat
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

import pytest

import trainer_hooks
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from monitor.store.workers import alive_workers
from tests.cli.product import Product, products
from tests.store.processes import command_line, listening

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

#: Ctrl-C stops everything within this (issue 2, point 1), seconds.
STOP_S = 5.0
Start = Callable[..., Product]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts products on one home; all are closed at the end."""
    yield from products(tmp_path)


def push(product: Product, run: str, redis_url: str = "") -> None:
    """A short training."""
    url = redis_url or product.endpoint["redis_url"]
    with trainer_hooks.start(run, redis_url=url) as watched:
        for step in range(5):
            watched.push_weights(step, G={"w": [1.0, 1.0 + step]}, scalars={"loss": step})
    product.until(lambda: done(product, run), f"run {run} is not evaluated")


def done(product: Product, run: str) -> bool:
    (found,) = [each for each in product.client.runs() if each["id"] == run]
    return bool(found["last_step"] == 4 and "S.G" in found["latest"])


def ports_of(product: Product) -> set[int]:
    return {port for pid in product.family for _, port in listening(pid)}


def closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def assert_nothing_is_left(product: Product, ports: set[int]) -> None:
    assert product.left(STOP_S) == []
    assert all(map(closed, ports))
    assert not (product.home / "endpoint").exists()
    assert not (product.home / "lock").exists()


def test_up_from_start_to_end_and_again(start: Start, tmp_path: Path) -> None:
    product = start("up", "--port", "0")
    assert list(product.client.runs()) == []
    endpoint = product.home / "endpoint"
    assert stat.S_IMODE(endpoint.stat().st_mode) == 0o600
    assert product.endpoint["server_url"] == product.url
    push(product, "first")

    # A second one on this home, and one on this port, say so.
    second = start("up", "--port", "0")
    assert second.wait() == 1
    (line,) = second.output
    assert f"(process {product.process.pid}) is running on {product.home}" in line
    port = str(urlsplit(product.url).port)
    other = Product(tmp_path / "other", "up", "--port", port)
    assert other.wait() == 1
    assert f"sqd: port {port} on 127.0.0.1 cannot be used" in other.output[0]
    other.close()

    # A trainer looks in the usual home, unless it is told of this one.
    assert any(f" SQD_HOME={quote(str(product.home))};" in line for line in product.output)

    # Passwords are where only this user can read them.
    for url in (product.endpoint["redis_url"], product.endpoint["blob_url"]):
        password = urlsplit(url).password
        assert password
        assert password not in "\n".join(product.output)
        for pid in product.family:
            assert password not in " ".join(command_line(pid))
        for log in product.home.glob("*.log"):
            assert password not in log.read_text()

    ports = ports_of(product)
    assert len(ports) == 3
    product.until(lambda: len(product.workers()) == 2, "no worker")
    with urllib.request.urlopen(f"{product.url}/api/events", timeout=10) as browser:
        assert browser.readline()
        code, took_s = product.stop()
    assert code == 0
    assert took_s < STOP_S
    assert "Traceback" not in "\n".join(product.output)
    assert_nothing_is_left(product, ports)

    again = start("up", "--port", "0")
    assert [run["id"] for run in again.client.runs()] == ["first"]
    push(again, "second")
    code, took_s = again.stop(signal.SIGTERM)
    assert code == 0
    assert took_s < STOP_S
    assert_nothing_is_left(again, set())


def test_killed_product_leaves_no_orphan_and_loses_no_run(start: Start) -> None:
    product = start("up", "--port", "0")
    push(product, "first")
    product.until(lambda: len(product.workers()) == 2, "no worker")
    product.process.kill()
    product.process.wait()
    # At once: the lock waits for what is still closing its files.
    heir = start("up", "--port", "0")
    assert [run["id"] for run in heir.client.runs()] == ["first"]
    assert product.left(STOP_S) == []
    push(heir, "second")
    code, _ = heir.stop()
    assert code == 0


def test_server_and_worker_of_their_own(
    store: Store, embedded: EmbeddedRedis, start: Start
) -> None:
    server = start("server", "--port", "0", "--redis-url", embedded.redis_url)
    worker = start("worker", "--redis-url", embedded.redis_url)
    assert list(server.client.runs()) == []
    push(server, "first", embedded.redis_url)
    server.until(lambda: len(alive_workers(store)) == 2, "no worker")
    assert any("worker: Q: mtcnn on " in line for line in worker.output)
    for product, number in ((worker, signal.SIGTERM), (server, signal.SIGINT)):
        code, took_s = product.stop(number)
        assert code == 0
        assert took_s < STOP_S
        assert product.left(STOP_S) == []
        assert "Traceback" not in "\n".join(product.output)
    assert alive_workers(store) == []
    # It was not theirs to stop.
    store.ping()


@pytest.mark.parametrize("lane", ["samples", "fast"])
def test_worker_that_dies_is_started_again(start: Start, lane: str) -> None:
    product = start("up", "--port", "0")
    lanes = product.until(
        lambda: (found := product.workers()) and len(found) == 2 and found, "no worker"
    )
    os.kill(lanes[lane], signal.SIGKILL)
    product.until(
        lambda: (found := product.workers()) and len(found) == 2 and found[lane] != lanes[lane],
        "no new worker",
    )
    # The death of the fast lane is no reason to load everything again.
    assert (product.workers()["samples"] == lanes["samples"]) == (lane == "fast")
    push(product, "after")
    assert any("; starting it again" in line for line in product.output)
    code, took_s = product.stop()
    assert code == 0
    assert took_s < STOP_S


@pytest.mark.parametrize("which", [0, 1])
def test_redis_that_dies_ends_the_product(start: Start, which: int) -> None:
    product = start("up", "--port", "0")
    list(product.client.runs())
    os.kill(product.redis()[which], signal.SIGKILL)
    assert product.wait() == 1
    name = ("durable", "volatile")[which]
    said = f"sqd: the {name} Redis has ended; its log is in {product.home}"
    assert said in product.output
    assert "Traceback" not in "\n".join(product.output)
    assert_nothing_is_left(product, set())


def test_worker_that_cannot_start_ends_the_product(start: Start) -> None:
    product = start("up", "--port", "0", "--reference", "nobody")
    assert product.wait() == 1
    assert any("sqd: no reference set at" in line for line in product.output)
    assert product.output[-1] == "sqd: the worker cannot start; it says above why"
    assert_nothing_is_left(product, set())


def test_demo_ends_by_itself_with_a_summary(start: Start) -> None:
    product = start("demo", "--port", "0", "--iterations", "25", "--headless")
    assert product.wait(120) == 0
    text = "\n".join(product.output)
    assert "run demo: finished, step 24" in text
    for metric in ("S.G", "S.D", "Q", "D"):
        (line,) = [line for line in product.output if line.startswith(f"  {metric} ")]
        float(line.split()[1])
    assert "dropped      nothing" in text
    assert "Traceback" not in text
    assert_nothing_is_left(product, set())


def test_interrupted_demo_is_finished_not_lost(start: Start) -> None:
    product = start("demo", "--port", "0")
    product.until(
        lambda: any("S.G" in run["latest"] for run in product.client.runs()), "no training"
    )
    ports = ports_of(product)
    code, took_s = product.stop()
    assert code == 0
    assert took_s < STOP_S
    assert "Traceback" not in "\n".join(product.output)
    assert_nothing_is_left(product, ports)
    again = start("up", "--port", "0")
    (run,) = again.client.runs()
    assert (run["id"], run["status"]) == ("demo", "finished")
