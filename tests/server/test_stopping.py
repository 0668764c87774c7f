"""Asking a trainer to stop, from REST to its `should_stop` and back to the pages."""

import json
import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from monitor.store.control import MOST_BY, MOST_REASON
from tests.server.laboratory import Laboratory
from tests.server.listening import WAIT_S, EventStream
from tests.server.test_runs import STRANGE
from trainer_hooks import Run, keys, sender


@pytest.fixture(autouse=True)
def _lively(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer's heart beats fast."""
    monkeypatch.setattr(sender, "BEAT_INTERVAL_S", 0.05)


def begun(laboratory: Laboratory, name: str = "demo") -> Run:
    run = laboratory.start(name)
    laboratory.arrived(run, 0)
    return run


def until(run: Run, stop: bool) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while run.should_stop() != stop:
        assert time.monotonic() < give_up_s, "the trainer does not hear"
        time.sleep(0.02)


def next_stop(stream: EventStream) -> Any:
    while True:
        event = stream.next()
        if event.name == "stop":
            return event.data


def test_stop_over_rest_reaches_the_trainer_and_can_be_taken_back(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    run = begun(laboratory)
    assert client.get("/api/runs/demo").json()["stop"] is None
    address = str(client.base_url)
    with (
        EventStream(address, "/api/runs/demo/events") as page,
        EventStream(address, "/api/events") as everybody,
    ):
        for stream in (page, everybody):
            stream.next()
        answer = client.post("/api/runs/demo/stop", json={"by": "page", "reason": "it repeats"})
        assert answer.status_code == 200
        asked = answer.json()
        assert (asked["by"], asked["reason"]) == ("page", "it repeats")
        expected = {"run": "demo", "stop": {**asked, "told": None}}
        assert next_stop(page) == next_stop(everybody) == expected
        until(run, stop=True)
        shown = client.get("/api/runs/demo").json()["stop"]
        assert shown["told"] >= shown["asked"] == asked["asked"]
        assert client.delete("/api/runs/demo/stop").status_code == 204
        assert next_stop(page) == next_stop(everybody) == {"run": "demo", "stop": None}
    until(run, stop=False)
    assert client.get("/api/runs/demo").json()["stop"] is None
    assert client.delete("/api/runs/demo/stop").status_code == 204


def test_second_request_changes_nothing(client: httpx.Client, laboratory: Laboratory) -> None:
    begun(laboratory)
    first = client.post("/api/runs/demo/stop").json()
    second = client.post("/api/runs/demo/stop", json={"by": "another"}).json()
    assert (first["by"], first["reason"]) == ("rest", "")
    assert {**second, "told": None} == {**first, "told": None}


@pytest.mark.parametrize(
    "body", [[], "x", {"by": 3}, {"by": "x" * (MOST_BY + 1)}, {"reason": "x" * (MOST_REASON + 1)}]
)
def test_bad_request_says_why(client: httpx.Client, laboratory: Laboratory, body: Any) -> None:
    begun(laboratory)
    answer = client.post("/api/runs/demo/stop", json=body)
    assert answer.status_code == 422
    assert "request body" in answer.json()["detail"]
    assert client.get("/api/runs/demo").json()["stop"] is None


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_unknown_run_is_named(client: httpx.Client, method: str) -> None:
    answer = client.request(method, "/api/runs/absent/stop")
    assert (answer.status_code, answer.json()) == (404, {"detail": "no run is called 'absent'"})


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names(client: httpx.Client, laboratory: Laboratory, name: str) -> None:
    begun(laboratory, name)
    path = f"/api/runs/{quote(name, safe='')}"
    assert client.post(f"{path}/stop", json={"reason": name}).json()["reason"] == name
    assert client.get(path).json()["stop"]["reason"] == name


FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_pages_of_others_cannot_stop_a_training(
    client: httpx.Client, laboratory: Laboratory, headers: dict[str, str]
) -> None:
    begun(laboratory)
    for method, path in (("POST", "/stop"), ("DELETE", "/stop"), ("DELETE", "")):
        answer = client.request(method, f"/api/runs/demo{path}", headers=headers)
        assert answer.status_code == 403
        assert "another site" in answer.json()["detail"]
    assert client.get("/api/runs/demo", headers=headers).json()["stop"] is None


def test_our_own_page_can(client: httpx.Client, laboratory: Laboratory) -> None:
    begun(laboratory)
    own = f"{client.base_url}".rstrip("/")
    for headers in ({"Origin": own}, {"Sec-Fetch-Site": "same-origin", "Origin": own}):
        assert client.post("/api/runs/demo/stop", headers=headers).status_code == 200


def test_detail_tells_where_checkpoints_lie(client: httpx.Client, laboratory: Laboratory) -> None:
    run = begun(laboratory)
    assert client.get("/api/runs/demo").json()["checkpoints"] == []
    ring = run.checkpoints(every=10, save=lambda path: path.write_text("x"))
    for step in range(1, 25):
        ring.save_if_due(step)
    alert = {
        "id": "a", "run": "demo", "kind": "quality", "step": 15, "detected_step": 20,
        "metrics": ["Q"], "severity": "critical", "message": "Q fell.", "time": time.time(),
    }  # fmt: skip
    laboratory.store.data.hset(keys.alerts("demo"), "a", json.dumps(alert))
    give_up_s = time.monotonic() + WAIT_S
    while not run.alerts():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)
    run.finish()
    (found,) = client.get("/api/runs/demo").json()["checkpoints"]
    assert (found["step"], found["pinned"], found["alert"]) == (10, True, "a")
    (file,) = run.settings.home.glob("checkpoints/*/step-000000000010-*")
    assert found["path"] == str(file)
