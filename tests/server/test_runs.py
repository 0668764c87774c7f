"""The list of runs, one run, its alerts and its removal."""

import socket
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from monitor.store.blocks import Cell
from monitor.store.workers import beat
from monitor.watch.loop import Watch
from tests.server.laboratory import EPOCH_S, Laboratory, alert
from trainer_hooks import keys

STRANGE = ["<img src=x onerror=alert(1)>", "100%", "a?b#c&d", "Größe ☃", "..%2f", "a b\\c", "{x}"]


def test_list_is_newest_first(client: httpx.Client, laboratory: Laboratory) -> None:
    for name in ("one", "two", "three"):
        laboratory.weights(laboratory.start(name), {"loss.G": [1.0]})
    assert [run["id"] for run in client.get("/api/runs").json()] == ["three", "two", "one"]


def test_summary_has_the_newest_of_whole_network_metrics(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    run = laboratory.start("demo", tags=("first", "second"))
    flawed = Cell(1, None, status="nonfinite", reason="weights are NaN")
    laboratory.weights(run, {"S.G": [0.004, flawed], "S.G/conv.weight": [0.1, 0.2]})
    laboratory.samples(run, 2, {"Q": [Cell(0, 0.91, stderr=0.01, n=500)]})
    (summary,) = client.get("/api/runs").json()
    assert summary["status"] == "running"
    assert summary["finished"] is None
    assert summary["tags"] == ["first", "second"]
    assert summary["last_step"] == 2
    assert summary["last_time"] == EPOCH_S + 2
    assert summary["latest"] == {
        "S.G": {
            "step": 2, "epoch": 1.0, "time": EPOCH_S + 2, "value": None, "stderr": None, "n": 1,
            "status": "nonfinite",
        },
        "Q": {
            "step": 2, "epoch": 1.0, "time": EPOCH_S + 2, "value": 0.91, "stderr": 0.01, "n": 500,
            "status": "ok",
        },
    }  # fmt: skip
    assert summary["verdict"] == {
        "level": "learning",
        "text": "Learning: too few points to judge.",
    }
    assert summary["open_alerts"] == 0
    assert summary["last_alert"] is None


def test_detail_has_everything(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo", config={"lr": 0.001})
    failed = Cell(0, None, status="failed", reason="no reference set is loaded")
    laboratory.weights(run, {"S.G": [0.1, 0.2], "S.G/w": [0.1, 0.2]}, steps=[5, 9])
    laboratory.samples(run, 9, {"D": [failed]})
    detail = client.get("/api/runs/demo").json()
    assert detail["config"]["lr"] == 0.001
    assert detail["config"]["samples"] == 4
    assert detail["metrics"] == ["D", "S.G"]
    assert detail["tensor_metrics"] == ["S.G/w"]
    (segment,) = detail["segments"]
    assert (segment["first_step"], segment["last_step"]) == (5, 9)
    assert detail["problems"] == [
        {
            "metric": "D", "status": "failed", "count": 1, "first_step": 9, "last_step": 9,
            "reason": "no reference set is loaded",
        }
    ]  # fmt: skip
    assert detail["worker"] == {"seen": False}
    assert detail["diversity"] is None
    assert detail["lag"] == {
        "weights_steps": 0, "weights_s": 0.0, "samples_steps": 0, "samples_s": 0.0,
        "queued_jobs": 0, "outstanding_bytes": 0, "dead_letters": 0,
    }  # fmt: skip


def test_detail_tells_where_the_run_was_taken_up_again(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    first = laboratory.start("demo")
    laboratory.weights(first, {"S.G": [0.1] * 5}, steps=[10, 20, 30, 15, 25])
    laboratory.samples(first, 25, {"Q": [0.5]})
    laboratory.crash(first, silence_s=60)
    again = laboratory.start("demo", resume=True)
    laboratory.samples(again, 20, {"Q": [0.5]})
    laboratory.samples(again, 18, {"Q": [0.5]})
    watch = Watch(laboratory.store)
    watch.tick()
    watch.release()
    old, new = client.get("/api/runs/demo").json()["segments"]
    assert (old["first_step"], old["last_step"], old["rewinds"]) == (
        10, 25, [{"step": 15, "time": EPOCH_S + 15}],
    )  # fmt: skip
    assert (new["first_step"], new["last_step"], new["rewinds"]) == (
        18, 18, [{"step": 18, "time": EPOCH_S + 18}],
    )  # fmt: skip
    assert old["host"] == new["host"] == socket.gethostname()
    assert new["started"] >= old["started"]


def test_detail_tells_what_q_and_d_were_measured_with(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    made_with = {"embedder": "faces100", "reference": "faces100", "modes": 100, "ceiling": 4.605}
    run = laboratory.start("demo")
    laboratory.samples(run, 1, {"D": [3.1]}, provenance=made_with)
    # Of a run that an older worker measured, no hash is known.
    made_with |= {"embedder_sha256": "", "reference_sha256": ""}
    assert client.get("/api/runs/demo").json()["diversity"] == made_with
    assert client.get("/api/runs/demo").json()["quality"] is None
    # Neither takes the other's place.
    scoring = {"evaluator": "mtcnn", "sha256": "ab" * 32, "settings": {"min_face_size": 20}}
    laboratory.samples(run, 2, {"Q": [0.9]}, scoring=scoring)
    told = client.get("/api/runs/demo").json()
    assert (told["quality"], told["diversity"]) == (scoring, made_with)


def test_detail_tells_where_another_evaluator_took_over(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    def by(name: str) -> dict[str, Any]:
        return {"evaluator": name, "sha256": name, "settings": {}}

    run = laboratory.start("demo")
    for step, name in ((10, "a"), (20, "a"), (30, "b"), (40, "c"), (25, "c"), (35, "c")):
        laboratory.samples(run, step, {"Q": [0.9]}, scoring=by(name))
    watch = Watch(laboratory.store)
    watch.tick()
    watch.release()
    # From step 25 on newer rows hide what "b" measured, and where "c" began.
    assert client.get("/api/runs/demo").json()["remeasured"] == []
    laboratory.samples(run, 45, {"Q": [0.9]}, scoring=by("d"))
    told = {"metric": "Q", "step": 45, "time": EPOCH_S + 45, "before": "c", "after": "d"}
    assert client.get("/api/runs/demo").json()["remeasured"] == [told]
    run.finish()
    again = laboratory.start("demo", resume=True)
    laboratory.samples(again, 50, {"Q": [0.9]}, scoring=by("d"))
    assert client.get("/api/runs/demo").json()["remeasured"] == [told]
    laboratory.samples(again, 45, {"Q": [0.9]}, scoring=by("d"))
    assert client.get("/api/runs/demo").json()["remeasured"] == []


def test_detail_tells_of_the_worker_that_beat_last(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    laboratory.weights(laboratory.start("demo"), {"loss.G": [1.0]})
    beat(laboratory.store, "w1", {"device": "cpu", "images_per_s": 71.5, "reference": "faces100"})
    worker = client.get("/api/runs/demo").json()["worker"]
    assert worker["seen"] is True
    assert worker["age_s"] < 15
    assert (worker["device"], worker["images_per_s"]) == ("cpu", 71.5)
    assert worker["embedder"] is None


def test_detail_tells_of_the_lane_that_computes_q_and_d(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    laboratory.weights(laboratory.start("demo"), {"loss.G": [1.0]})
    beat(laboratory.store, "w1:samples", {"lane": "samples", "device": "cuda:0"})
    beat(laboratory.store, "w1:fast", {"lane": "fast"})
    assert client.get("/api/runs/demo").json()["worker"]["device"] == "cuda:0"


def test_detail_tells_the_lag(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"loss.G": [1.0]}, steps=[3])
    laboratory.arrived(run, 10)
    lag = client.get("/api/runs/demo").json()["lag"]
    assert (lag["weights_steps"], lag["queued_jobs"]) == (7, 1)
    assert lag["weights_s"] > 0
    assert lag["outstanding_bytes"] > 0


def test_network_and_drops_come_with_the_heartbeat(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    run = laboratory.start("demo")
    run.push_weights(1, G={"w": [1.0, 2.0]}, scalars={"bad\nname": 1.0})
    run.push_weights(2, G={"w": [1.0, 3.0]})
    run.finish()
    detail = client.get("/api/runs/demo").json()
    assert detail["networks"] == {"G": {"parameters": 2, "tensors": 1, "weights": "full"}}
    assert detail["drops"] == {"bad_scalar": 1}
    assert detail["status"] == "finished"
    assert detail["finished"] >= detail["started"]


def test_alerts_are_oldest_first_and_counted_while_they_are_open(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    laboratory.weights(laboratory.start("demo"), {"loss.G": [1.0]})
    alerts = [
        alert("demo", "mode_collapse", 40, severity="critical"),
        alert("demo", "diversity", 20),
        alert("demo", "restart", 30, severity="info"),
        alert("demo", "trainer_lost", 35, severity="critical"),
    ]
    laboratory.watched("demo", {"metrics": {}}, alerts)
    shown = client.get("/api/runs/demo/alerts").json()
    assert [each["step"] for each in shown] == [20, 30, 35, 40]
    assert shown[0] == alert("demo", "diversity", 20).as_dict()
    (summary,) = client.get("/api/runs").json()
    # A restart is no worry.
    assert summary["open_alerts"] == 3
    assert summary["last_alert"] == {
        "kind": "mode_collapse", "step": 40, "severity": "critical",
        "message": "D fell at step 40.",
    }  # fmt: skip


def test_deleted_run_is_gone_with_all_its_keys(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    for name in ("demo", "demo2"):
        laboratory.weights(laboratory.start(name), {"loss.G": [1.0]})
    answer = client.delete("/api/runs/demo")
    assert (answer.status_code, answer.content) == (204, b"")
    assert [run["id"] for run in client.get("/api/runs").json()] == ["demo2"]
    assert list(laboratory.store.data.scan_iter(keys.run_pattern("demo"))) == []
    assert client.delete("/api/runs/demo").status_code == 404


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_are_only_names(
    client: httpx.Client, laboratory: Laboratory, name: str
) -> None:
    run = laboratory.start(name)
    laboratory.weights(run, {name: [1.0]})
    path = f"/api/runs/{quote(name, safe='')}"
    assert client.get(path).json()["id"] == name
    series = client.get(f"{path}/series", params={"metric": name}).json()
    assert series[name]["value"] == [1.0]
    assert client.delete(path).status_code == 204


@pytest.mark.parametrize(
    "path",
    [
        "", "/series", "/samples", "/samples/3", "/modes/3", "/alerts", "/events",
        "/events?last_event_id=1-1",
    ],
)  # fmt: skip
def test_unknown_run_is_named(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/api/runs/absent{path}")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "no run is called 'absent'"}
