"""Server, worker and hooks, each with no more than the documented user of Redis."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from monitor.client import Client
from tests.cli.product import Product
from tests.store.guarded import GuardedRedis

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

#: A training in a process of its own: weights, scalars, samples.
TRAINER = """
import numpy as np
import trainer_hooks
with trainer_hooks.start("demo", samples=4, samples_every=2, weights="full") as run:
    for step in range(6):
        run.push_weights(step, G={"w": [1.0, 1.0 + step]}, scalars={"loss": step})
        run.push_samples(step, np.zeros((4, 3, 32, 32), np.uint8))
print(dict(run.dropped))
"""
#: A rank of another one, whose network is spread over two.
RANK = """
import sys
import trainer_hooks
rank = int(sys.argv[1])
with trainer_hooks.start("spread", weights="full", flush_timeout_s=30) as run:
    for step in range(3):
        run.push_weights(step, G={"w": [1.0 + rank, 1.0 + step]}, shard=(rank, 2))
print(dict(run.dropped))
"""
TOKEN = "only for this test"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[GuardedRedis, GuardedRedis]]:
    """A durable and a volatile one."""
    found = []
    for name in ("durable", "volatile"):
        (tmp_path / name).mkdir()
        found.append(GuardedRedis(tmp_path / name))
    yield found[0], found[1]
    for server in found:
        server.close()


def places(servers: tuple[GuardedRedis, GuardedRedis], user: str, password: str) -> dict[str, str]:
    durable, volatile = (server.url(user, password) for server in servers)
    return {"SQD_REDIS_URL": durable, "SQD_BLOB_URL": volatile}


def _python(script: str, *arguments: str, home: Path, **places: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, **places, "SQD_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_each_needs_no_more_than_its_line(
    servers: tuple[GuardedRedis, GuardedRedis], tmp_path: Path
) -> None:
    as_server = {
        **places(servers, "sqd-server", "PASSWORD-1"),
        "SQD_TOKEN": TOKEN,
        "SQD_RETAIN_BYTES": str(2**40),
    }
    server = Product(tmp_path / "s", "server", "--port", "0", "--verbose", environment=as_server)
    as_worker = places(servers, "sqd-worker", "PASSWORD-2")
    worker = Product(tmp_path / "w", "worker", "--verbose", environment=as_worker)
    try:
        as_trainer = places(servers, "sqd-trainer", "PASSWORD-3")
        scripts = [(TRAINER,), (RANK, "0"), (RANK, "1")]
        trainers = [_python(*script, home=tmp_path / "t", **as_trainer) for script in scripts]
        for trainer in trainers:
            said, complaint = trainer.communicate(timeout=60)
            assert (trainer.returncode, said) == (0, "{}\n"), complaint

        client = Client(server.url, TOKEN)

        def latest(run: str) -> set[str]:
            return set(client.run(run)["latest"])

        server.until(lambda: {"S.G", "loss", "Q", "D"} <= latest("demo"), "no points")
        server.until(lambda: "S.G" in latest("spread"), "no points of the spread network")
        assert client.series("demo", "S.G")["S.G"]["step"]
        assert [event.name for event in islice(client.events("demo"), 1)] == ["status"]
        assert client.samples("demo")
        client.alerts("demo")
        client.stop("demo")
        client.withdraw_stop("demo")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with urlopen(Request(f"{server.url}/metrics", headers=headers)) as metrics:
            assert b"sqd_runs" in metrics.read()
        for run in ("demo", "spread"):
            client.delete(run)
        assert list(client.runs()) == []
        assert [line for each in servers for line in each.refusals()] == []
        # Whoever may read the logs or the list of processes learns nothing.
        told = "\n".join([*server.output, *worker.output])
        assert not any(secret in told for secret in (TOKEN, "PASSWORD"))
    finally:
        server.close()
        worker.close()
