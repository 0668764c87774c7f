"""Image grids and mode histograms."""

from typing import Any

import httpx
import pytest

from tests.server.laboratory import Laboratory

MODES: dict[str, Any] = {
    "n": 10,
    "embedder": "faces100",
    "reference": "faces100",
    "counts": [3, 0, 7],
    "expected": [3.3, 3.3, 3.3],
    "labels": ["face 0", "face 1", "face 2"],
    "over_represented": [{"mode": 2, "label": "face 2", "count": 7, "expected": 3.3}],
    "under_represented": [{"mode": 1, "label": "face 1", "count": 0, "expected": 3.3}],
}
GRID = b"RIFF\x00\x00\x00\x00WEBP" + bytes(2000)


@pytest.fixture
def demo(laboratory: Laboratory) -> Laboratory:
    """A run with batches at 200, 400 (no images) and 600."""
    run = laboratory.start("demo")
    laboratory.samples(run, 200, {"Q": [0.1]}, grid=b"first")
    laboratory.samples(run, 400, {"Q": [0.2]})
    laboratory.samples(run, 600, {"Q": [0.3]}, grid=GRID, modes=MODES)
    return laboratory


def test_steps_with_a_grid(client: httpx.Client, demo: Laboratory) -> None:
    assert client.get("/api/runs/demo/samples").json() == [200, 600]


def test_grid_is_an_image_that_may_be_kept(client: httpx.Client, demo: Laboratory) -> None:
    answer = client.get("/api/runs/demo/samples/600")
    assert answer.content == GRID
    assert answer.headers["content-type"] == "image/webp"
    assert "content-encoding" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-cache"
    again = client.get(
        "/api/runs/demo/samples/600", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(
        "/api/runs/demo/samples/200", headers={"If-None-Match": again.headers["etag"]}
    )
    assert other.content == b"first"


def test_histogram(client: httpx.Client, demo: Laboratory) -> None:
    assert client.get("/api/runs/demo/modes/600").json() == {"step": 600, **MODES}


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("samples/400", "run 'demo' has no image grid at step 400"),
        ("samples/1", "run 'demo' has no image grid at step 1"),
        ("modes/200", "run 'demo' has no mode histogram at step 200"),
    ],
)
def test_step_without_one_is_named(
    client: httpx.Client, demo: Laboratory, path: str, detail: str
) -> None:
    answer = client.get(f"/api/runs/demo/{path}")
    assert (answer.status_code, answer.json()) == (404, {"detail": detail})


@pytest.mark.parametrize("step", ["-1", "x", "1.5", str(2**53)])
def test_bad_step_is_refused(client: httpx.Client, demo: Laboratory, step: str) -> None:
    answer = client.get(f"/api/runs/demo/samples/{step}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"path parameter 'step' is '{step}': ")
