"""Hosts, bodies and headers."""

import httpx
import pytest

from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.server.listening import serving


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"]
)
def test_loopback_names_are_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example:80", "[::2]:8000", "127.0.0.1.evil.example", ""],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/runs", "/healthz"])
def test_other_names_are_refused(client: httpx.Client, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert "host name" in answer.json()["detail"]


def test_hosts_can_be_chosen(store: Store) -> None:
    with serving(create_app(store, token="t", allowed_hosts=["Monitor.example"])) as client:
        assert client.get("/healthz", headers={"Host": "monitor.example:8000"}).status_code == 200
        assert client.get("/healthz").status_code == 400
    with serving(create_app(store, token="t", allowed_hosts=None)) as client:
        assert client.get("/healthz", headers={"Host": "anything"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/api/runs", "/api/runs/absent", "/static/main.js", "/nowhere"]
)
def test_every_answer_has_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "cache-control" in headers


def test_large_body_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/login", content=b"x" * 100_000)
    assert answer.status_code == 413
    assert "16384" in answer.json()["detail"]


def test_body_of_unknown_length_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/login", content=iter([b"x" * 10]))
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/api/runs", "/api/runs/demo/series", "/nowhere"])
def test_long_address_is_refused(client: httpx.Client, path: str) -> None:
    answer = client.get(f"{path}?metric={'x' * 57_344}")
    assert answer.status_code == 414
    assert "the limit is 57344" in answer.json()["detail"]


def test_an_address_of_all_metrics_that_one_call_takes_is_answered(client: httpx.Client) -> None:
    query = "&".join(f"metric={'x' * 100}" for _ in range(500))
    answer = client.get(f"/api/runs/absent/series?{query}")
    assert answer.json() == {"detail": "no run is called 'absent'"}
