"""Liveness and readiness; with Redis and without."""

from collections.abc import Iterator

import httpx
import pytest

from monitor.server.app import create_app
from monitor.store.workers import beat, leave
from tests.server.laboratory import Laboratory
from tests.server.listening import serving
from tests.server.mortal import MortalRedis
from tests.server.scraping import samples


@pytest.fixture(scope="module")
def orphan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a server whose Redis has died."""
    redis = MortalRedis(tmp_path_factory.mktemp("redis"))
    redis.kill()
    with serving(create_app(redis.store)) as client:
        yield client
    redis.close()


def test_ready_with_redis_and_a_worker(client: httpx.Client, laboratory: Laboratory) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"redis": True, "worker": False})
    beat(laboratory.store, "w1", {"device": "cpu"})
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"redis": True, "worker": True})
    assert [client.head(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
    leave(laboratory.store, "w1")
    assert client.get("/readyz").status_code == client.head("/readyz").status_code == 503


def test_without_redis_it_lives_and_says_so(orphan: httpx.Client) -> None:
    assert orphan.get("/healthz").status_code == 200
    answer = orphan.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"redis": False, "worker": False})
    found = samples(orphan)
    assert {name for name, *_ in found} == {
        "sqd_sse_clients", "sqd_redis_up", "sqd_http_requests_total"
    }  # fmt: skip
    assert (found["sqd_redis_up",], found["sqd_sse_clients",]) == (0, 0)
    assert found["sqd_http_requests_total", "503", "GET"] > 0


@pytest.mark.parametrize(
    "path",
    ["", "/demo", "/demo/series", "/demo/samples", "/demo/modes/1", "/demo/alerts", "/demo/events"],
)
def test_without_redis_data_is_unavailable(orphan: httpx.Client, path: str) -> None:
    answer = orphan.get(f"/api/runs{path}")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "cannot be reached" in answer.json()["detail"]
    assert "Traceback" not in answer.text
