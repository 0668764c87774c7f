"""What a client has already is not sent again; what is sent is small."""

import httpx
import pytest

from monitor.server import caching
from tests.server.laboratory import Laboratory

PATHS = [
    "/api/runs", "/api/runs/demo/series", "/api/runs/demo/series?points=0",
    "/api/runs/demo/alerts", "/api/runs/demo/samples", "/openapi.json", "/healthz",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("form", ["{}", '"other", {}', "*"])
def test_unchanged_json_is_not_sent_again(
    client: httpx.Client, laboratory: Laboratory, path: str, form: str
) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1] * 400})
    first = client.get(path)
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(path, headers={"If-None-Match": form.format(first.headers["etag"])})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "content-security-policy" in again.headers


def test_changed_json_is_sent_again(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]})
    path = "/api/runs/demo/series"
    first = client.get(path)
    laboratory.weights(run, {"S.G": [0.2]}, steps=[2])
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.json()["S.G"]["step"]) == (200, [1, 2])
    assert again.headers["etag"] != first.headers["etag"]


def test_errors_and_changes_are_never_kept(client: httpx.Client) -> None:
    answers = [client.get("/api/runs/absent"), client.post("/api/runs/absent/stop")]
    for answer in answers:
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


def test_large_answers_are_not_tagged(
    client: httpx.Client, laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1] * 400})
    path = "/api/runs/demo/series"
    whole = client.get(path)
    monkeypatch.setattr(caching, "MOST_TAGGED_BYTES", len(whole.content) - 1)
    large = client.get(path, headers={"If-None-Match": whole.headers["etag"]})
    assert (large.status_code, large.json()) == (200, whole.json())
    assert "etag" not in large.headers


def test_curves_are_small_on_the_line(client: httpx.Client, laboratory: Laboratory) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1] * 1000})
    for query in ("", "?format=csv"):
        with client.stream("GET", f"/api/runs/demo/series{query}") as answer:
            packed = sum(len(piece) for piece in answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        whole = client.get(f"/api/runs/demo/series{query}", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in whole.headers
        assert packed < len(whole.content) / 4
        assert "accept-encoding" in whole.headers["vary"].lower()


def test_images_are_not_compressed_twice(client: httpx.Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]})
    laboratory.samples(run, 3, {"Q": [0.5]}, grid=bytes(5000))
    assert "content-encoding" not in client.get("/api/runs/demo/samples/3").headers
