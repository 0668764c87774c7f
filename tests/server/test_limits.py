"""Limits of one run, over REST."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from monitor.store.limits import NONE_OWN, OwnLimits, limits_of
from tests.server.laboratory import Laboratory
from tests.server.test_runs import STRANGE

JSON = {"Content-Type": "application/json"}
NONE = {"days": None, "bytes": None, "grids": None}


@pytest.mark.parametrize("name", ["demo", *STRANGE])
def test_limits_are_given_replaced_and_taken_back(
    client: httpx.Client, laboratory: Laboratory, name: str
) -> None:
    laboratory.weights(laboratory.start(name), {"S.G": [0.1]})
    path = f"/api/runs/{quote(name, safe='')}"
    assert client.get(path).json()["limits"] == NONE
    given = {"days": 0.5, "bytes": 2_000_000_000, "grids": 100}
    answer = client.put(f"{path}/limits", json=given)
    assert (answer.status_code, answer.json()) == (200, given)
    assert client.get(path).json()["limits"] == given
    assert client.put(f"{path}/limits", json={"days": 0}).json() == {**NONE, "days": 0}
    assert limits_of(laboratory.store, name) == OwnLimits(days=0)
    assert client.put(f"{path}/limits", json={}).json() == NONE
    assert limits_of(laboratory.store, name) == NONE_OWN


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"days": -1}, "request body, days: Input should be greater than or equal to 0"),
        ({"bytes": -1}, "request body, bytes: Input should be greater than or equal to 0"),
        ({"bytes": 1.5}, "request body, bytes: Input should be a valid integer"),
        ({"grids": 9}, "request body, grids: Input should be greater than or equal to 10"),
        ({"grids": 2001}, "request body, grids: Input should be less than or equal to 2000"),
        ({"weeks": 1}, "request body, weeks: Extra inputs are not permitted"),
        ([], "request body, as a whole: Input should be a valid dictionary"),
    ],
    ids=str,
)
def test_bad_limits_say_why_and_change_nothing(
    client: httpx.Client, laboratory: Laboratory, body: Any, said: str
) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1]})
    before = {**NONE, "days": 3}
    client.put("/api/runs/demo/limits", json=before)
    answer = client.put("/api/runs/demo/limits", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(said)
    assert client.get("/api/runs/demo").json()["limits"] == before


def test_infinite_age_is_refused(client: httpx.Client, laboratory: Laboratory) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1]})
    answer = client.put("/api/runs/demo/limits", content=b'{"days": 1e999}', headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("request body, days: Input should be a finite number")


def test_unknown_run_is_named(client: httpx.Client) -> None:
    answer = client.put("/api/runs/absent/limits", json={"days": 1})
    assert (answer.status_code, answer.json()) == (404, {"detail": "no run is called 'absent'"})


def test_pages_of_others_cannot_change_them(client: httpx.Client, laboratory: Laboratory) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1]})
    headers = {"Origin": "https://evil.example"}
    answer = client.put("/api/runs/demo/limits", json={"days": 1}, headers=headers)
    assert answer.status_code == 403
    assert client.get("/api/runs/demo").json()["limits"] == NONE
