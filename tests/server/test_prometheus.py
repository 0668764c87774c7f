"""`/metrics`: what is counted, how long things took, and how large the answer may become."""

import json
from typing import Any

import httpx
import pytest

from monitor.server import prometheus
from monitor.server.app import create_app
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.workers import beat
from monitor.worker.loop import Worker
from monitor.worker.samples import SamplesLane
from tests.server.laboratory import Laboratory, alert
from tests.server.listening import EventStream, serving
from tests.server.scraping import samples
from tests.store.posting import Trainer, samples_frame
from tests.worker.laboratory import evaluators, painted
from trainer_hooks import keys

#: Whatever a run may be called, it is one label.
HOSTILE = 'a"} 1\\ {b="é😀'


def test_metrics(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start(HOSTILE)
    laboratory.weights(run, {"loss.G": [1.0], "S.G": [Cell(0, None, status="failed")]}, steps=[3])
    laboratory.arrived(run, 8)
    raised = [alert(run.id, "mode_collapse", 5, severity="critical"), alert(run.id, "quality", 6)]
    laboratory.watched(run.id, {"metrics": {}}, raised, over=raised[1:])
    laboratory.watched(run.id, {"metrics": {}}, raised)
    gone = laboratory.start("gone")
    gone.push_weights(1, scalars={"bad\nname": 1.0})
    gone.finish()
    beat(laboratory.store, "w1", {"lane": "samples", "images_per_s": 71.5})
    beat(laboratory.store, "w2", {"lane": "fast"})
    did: Any = {"removed_runs:days": 2, "thinned:grids": 5, "stored_bytes": 1000}
    laboratory.store.data.hset(keys.counters(0), mapping=did)
    with EventStream(str(client.base_url), "/api/events") as stream:
        stream.next()
        found = samples(client)
    assert found["sqd_redis_up",] == 1
    assert [found["sqd_runs", status] for status in ("running", "finished", "lost")] == [1, 1, 0]
    assert (found["sqd_queued_jobs", "fast"], found["sqd_queued_jobs", "samples"]) == (1, 0)
    assert found["sqd_pushes_total", "weights"] == 1
    assert found["sqd_points_total", "scalar", "ok"] == 1
    assert found["sqd_points_total", "S", "failed"] == 1
    assert found["sqd_points_total", "D", "ok"] == 0
    assert found["sqd_dead_letters_total", "weights"] == 0
    assert (found["sqd_removed_runs_total", "days"], found["sqd_removed_runs_total", "bytes"]) == (
        2,
        0,
    )
    assert (found["sqd_thinned_total", "grids"], found["sqd_thinned_total", "modes"]) == (5, 0)
    assert found["sqd_stored_bytes",] == 1000
    assert found["sqd_outstanding_bytes",] > 0
    assert found["sqd_lag_steps", "weights", HOSTILE] == 5
    assert found["sqd_lag_seconds", "weights", HOSTILE] > 0
    assert found["sqd_dropped_total", "bad_scalar", "gone"] == 1
    # Told while it is 0, so that the first loss is a rise.
    assert found["sqd_dropped_total", "worker_lost_frames", HOSTILE] == 0
    # Raised once, however often it is stored; what is over stays counted.
    assert found["sqd_alerts_total", "mode_collapse", "critical"] == 1
    assert found["sqd_alerts_total", "quality", "warning"] == 1
    assert found["sqd_open_alerts", HOSTILE, "critical"] == 1
    assert found["sqd_open_alerts", HOSTILE, "warning"] == 0
    assert (found["sqd_workers", "fast"], found["sqd_workers", "samples"]) == (1, 1)
    rates = {place: rate for place, rate in found.items() if "images_per_second" in place[0]}
    assert rates == {("sqd_images_per_second", "w1"): 71.5}
    assert found["sqd_sse_clients",] == 1
    assert found["sqd_http_requests_total", "200", "GET"] == 1


def test_histograms_are_cumulative_and_survive_the_server(
    store: Store, laboratory: Laboratory
) -> None:
    worker = Worker(store, SamplesLane(evaluators()))
    worker.ready()
    now_s = store.now_s()
    trainer = Trainer(store)
    for row, age_s in enumerate((0.7, 15.0, 1e6)):
        frame = samples_frame(painted([100] * 20, [1] * 20), seq=row, time=now_s - age_s)
        trainer.post(frame)
        assert worker.step(wait_ms=1)
    getattr(worker, "_beat")()  # noqa: B009 - what its main thread does every few seconds
    answers = []
    for _ in range(2):  # The second is a server that was started later.
        with serving(create_app(store)) as client:
            answers.append(samples(client))
    for found in answers:
        name = "sqd_push_to_point_seconds"
        assert found[f"{name}_count", "samples"] == found[f"{name}_bucket", "samples", "+Inf"] == 3
        assert found[f"{name}_bucket", "samples", "0.5"] == 0
        assert found[f"{name}_bucket", "samples", "3600.0"] == 2
        assert found[f"{name}_sum", "samples"] == pytest.approx(1e6 + 15.7, abs=60)
        for part in ("Q", "D"):
            assert found["sqd_evaluation_seconds_count", part] == 3
            assert found["sqd_evaluation_seconds_sum", part] > 0
        assert found["sqd_evaluation_seconds_count", "S"] == 0


def test_old_runs_and_too_many_are_left_out(
    client: httpx.Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "MOST_RUNS", 2)
    for number in range(5):
        Trainer(store, f"run {number}")
        store.data.hset(keys.meta(f"run {number}"), "heartbeat", store.now_s() - 4 + number / 2)
    store.data.hset(keys.meta("run 3"), "heartbeat", store.now_s() - prometheus.LATELY_S - 1)
    found = samples(client)
    assert {run for name, *labels in found if name == "sqd_lag_steps" for run in labels[1:]} == {
        "run 4",
        "run 2",
    }
    assert found["sqd_runs_left_out",] == 2
    assert (found["sqd_runs", "running"], found["sqd_runs", "lost"]) == (4, 1)


def test_reasons_of_a_hostile_trainer_are_bounded(client: httpx.Client, store: Store) -> None:
    trainer = Trainer(store)
    drops = {f"reason.{'x' * number}": 1 for number in range(30)} | {"x" * 10_000: 5, "a b": 2}
    told = json.dumps({**drops, "budget.weights": 3})
    store.data.hset(keys.meta("demo"), f"drops:{trainer.segment}", told)
    found = {place: n for place, n in samples(client).items() if place[0] == "sqd_dropped_total"}
    assert len(found) <= prometheus.MOST_REASONS + 1
    assert found["sqd_dropped_total", "budget.weights", "demo"] == 3
    assert sum(found.values()) == 40


def test_answers_are_counted_whoever_gives_them(client: httpx.Client, store: Store) -> None:
    client.get("/api/runs/nobody")
    client.request("NONSENSE", "/api/runs")
    client.get("/api/runs", headers={"Host": "elsewhere.example"})
    found = {place: n for place, n in samples(client).items() if "http_requests" in place[0]}
    assert found["sqd_http_requests_total", "404", "GET"] == 1
    assert sum(n for (_, _, method), n in found.items() if method == "other") == 1
    assert sum(found.values()) == 3


def test_defects_are_counted_too(store: Store) -> None:
    app = create_app(store)

    @app.get("/defect")
    def fail() -> None:
        raise ZeroDivisionError

    with serving(app) as client:
        # The server closes a line on which it failed.
        assert client.get("/defect", headers={"Connection": "close"}).status_code == 500
        assert samples(client)["sqd_http_requests_total", "500", "GET"] == 1
