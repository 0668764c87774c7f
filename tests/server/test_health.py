"""Liveness, readiness and what Prometheus reads; with Redis and without."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.server.app import create_app
from monitor.store.workers import beat, leave
from tests.server.laboratory import Laboratory, alert
from tests.server.listening import EventStream, serving
from tests.server.mortal import MortalRedis
from trainer_hooks import keys


@pytest.fixture(scope="module")
def orphan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a server whose Redis has died."""
    redis = MortalRedis(tmp_path_factory.mktemp("redis"))
    redis.kill()
    with serving(create_app(redis.store)) as client:
        yield client
    redis.close()


def samples(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """What `/metrics` says, by name and sorted label values."""
    text = client.get("/metrics").text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_ready_with_redis_and_a_worker(client: httpx.Client, laboratory: Laboratory) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"redis": True, "worker": False})
    beat(laboratory.store, "w1", {"device": "cpu"})
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"redis": True, "worker": True})
    leave(laboratory.store, "w1")
    assert client.get("/readyz").status_code == 503


def test_metrics(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start('de"mo')
    laboratory.weights(run, {"loss.G": [1.0]}, steps=[3])
    laboratory.arrived(run, 8)
    raised = [alert(run.id, "mode_collapse", 5, severity="critical")]
    laboratory.watched(run.id, {"metrics": {}}, raised)
    gone = laboratory.start("gone")
    gone.push_weights(1, scalars={"bad\nname": 1.0})
    gone.finish()
    beat(laboratory.store, "w1", {"device": "cpu", "images_per_s": 71.5})
    beat(laboratory.store, "w2", {"lane": "fast"})
    did: Any = {"removed_runs:days": 2, "thinned_grids": 5, "stored_bytes": 1000}
    laboratory.store.data.hset(keys.retention(0), mapping=did)
    with EventStream(str(client.base_url), "/api/events") as stream:
        stream.next()
        found = samples(client)
    assert found["sqd_redis_up",] == 1
    assert found["sqd_runs", "running"] == 1
    assert found["sqd_runs", "finished"] == 1
    assert found["sqd_runs", "lost"] == 0
    assert found["sqd_queued_jobs", "fast"] == 1
    assert found["sqd_queued_jobs", "samples"] == 0
    assert found["sqd_dead_letters",] == 0
    assert (found["sqd_removed_runs", "days"], found["sqd_removed_runs", "bytes"]) == (2, 0)
    assert (found["sqd_thinned", "grids"], found["sqd_thinned", "modes"]) == (5, 0)
    assert found["sqd_stored_bytes",] == 1000
    assert found["sqd_outstanding_bytes",] > 0
    assert found["sqd_lag_steps", 'de"mo', "weights"] == 5
    assert found["sqd_lag_seconds", 'de"mo', "weights"] > 0
    assert found["sqd_dropped", "bad_scalar", "gone"] == 1
    assert found["sqd_alerts", "critical", 'de"mo'] == 1
    assert found["sqd_workers",] == 2
    rates = {place: rate for place, rate in found.items() if "images_per_second" in place[0]}
    assert rates == {("sqd_images_per_second", "w1"): 71.5}
    assert found["sqd_sse_clients",] == 1


def test_without_redis_it_lives_and_says_so(orphan: httpx.Client) -> None:
    assert orphan.get("/healthz").status_code == 200
    answer = orphan.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"redis": False, "worker": False})
    assert samples(orphan) == {("sqd_sse_clients",): 0, ("sqd_redis_up",): 0}


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
