"""/openapi.json describes what is really answered."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from monitor.server.app import create_app
from monitor.store.connection import Store
from monitor.store.workers import beat
from tests.server.laboratory import Laboratory, alert
from tests.server.listening import serving
from tests.server.test_samples import MODES

CALLS = {
    "/api/runs",
    "/api/runs/{run}",
    "/api/runs/{run}/series",
    "/api/runs/{run}/samples",
    "/api/runs/{run}/samples/{step}",
    "/api/runs/{run}/modes/{step}",
    "/api/runs/{run}/alerts",
    "/api/runs/{run}/alerts/{alert}/acknowledge",
    "/api/runs/{run}/alerts/{alert}/mute",
    "/api/runs/{run}/alerts/{alert}/resolve",
    "/api/runs/{run}/deliveries",
    "/api/rules",
    "/api/rules/{rule}",
    "/api/runs/{run}/stop",
    "/api/runs/{run}/limits",
    "/api/runs/{run}/events",
    "/api/events",
    "/api/login",
    "/api/logout",
    "/api/session",
    "/healthz",
    "/readyz",
    "/metrics",
}
OPEN = ("/api/login", "/api/logout")
JSON = "application/json"


@pytest.fixture
def description(client: httpx.Client) -> dict[str, Any]:
    """The document."""
    found = client.get("/openapi.json").json()
    assert isinstance(found, dict)
    return found


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each call with its description."""
    for path, methods in description["paths"].items():
        for operation in methods.values():
            yield path, operation


def test_every_call_is_described(description: dict[str, Any]) -> None:
    assert set(description["paths"]) == CALLS
    for path, operation in operations(description):
        assert operation["description"], path
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (path, parameter["name"])
            told = {**parameter, **parameter["schema"]}
            hidden = parameter["in"] == "cookie"
            assert hidden or told.get("examples"), (path, parameter["name"])
        for status, answer in operation["responses"].items():
            bodiless = status in ("204", "303", "304")
            assert bodiless or all(c["schema"] for c in answer["content"].values()), path


def test_errors_are_described_as_they_are(description: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in description["components"]["schemas"]
    for _path, operation in operations(description):
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and operation["operationId"] != "check_readiness":
                schema = answer["content"][JSON]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorDetail"}


def test_protection_is_described(store: Store) -> None:
    with serving(create_app(store, token="t")) as client:
        description = client.get("/openapi.json").json()
    for path, operation in operations(description):
        guarded = path == "/metrics" or (path.startswith("/api/") and path not in OPEN)
        assert bool(operation.get("security")) == guarded, path
        assert {"401", "403"} <= set(operation["responses"]) or not guarded


def test_answers_are_as_described(
    client: httpx.Client, laboratory: Laboratory, description: dict[str, Any]
) -> None:
    run = laboratory.start("demo", tags=("a",), config={"lr": 0.1})
    run.push_weights(1, G={"w": [1.0, 2.0]})
    laboratory.weights(run, {"S.G": [0.1, None], "S.G/w": [0.1, 0.2]}, steps=[2, 3])
    made_with = {"embedder": "e", "reference": "r", "modes": 3, "ceiling": 1.1}
    laboratory.samples(run, 600, {"D": [None]}, grid=b"x", modes=MODES, provenance=made_with)
    laboratory.watched("demo", {"metrics": {}}, [alert("demo", "diversity", 2)])
    beat(laboratory.store, "w1", {"device": "cpu", "images_per_s": 3.5})
    assert client.post("/api/runs/demo/stop").status_code == 200
    for path, methods in description["paths"].items():
        schema = methods.get("get", {"responses": {}})["responses"].get("200", {})
        if JSON not in schema.get("content", {}):
            continue
        answer = client.get(path.format(run="demo", step=600))
        assert answer.status_code == 200, (path, answer.text)
        whole = {**schema["content"][JSON]["schema"], "components": description["components"]}
        Draft202012Validator(whole).validate(answer.json())


TEXTS = st.text(max_size=20)
PARTS = st.sampled_from(
    ["", "/series", "/samples", "/samples/{}", "/modes/{}", "/alerts", "/events"]
)
NAMES = st.sampled_from(["metric", "from", "to", "points", "format", "last_event_id", "other"])
VALUES = st.one_of(TEXTS, st.integers().map(str), st.floats().map(str))


def test_no_request_breaks_the_server(client: httpx.Client, laboratory: Laboratory) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [1.0, None]})

    @settings(
        max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(
        run=st.one_of(st.just("demo"), TEXTS),
        part=PARTS,
        step=VALUES,
        query=st.lists(st.tuples(NAMES, VALUES), max_size=4),
    )
    def check(run: str, part: str, step: str, query: list[tuple[str, str]]) -> None:
        path = f"/api/runs/{quote(run, safe='')}{part.format(quote(step, safe=''))}"
        with client.stream("GET", f"{path}?{urlencode(query)}", follow_redirects=True) as answer:
            assert answer.status_code in (200, 404, 422)

    check()
