"""The list of runs by tag, by status, a page at a time."""

from urllib.parse import urlsplit

import httpx
import pytest

from tests.server.laboratory import Laboratory

NAMES = ["e", "d", "c", "b", "a"]


@pytest.fixture
def runs(laboratory: Laboratory) -> None:
    """Five of them, `e` the newest: the vowels are tagged so, `a` and `b` have ended."""
    for name in reversed(NAMES):
        tags = ("letter", "vowel") if name in "ae" else ("letter",)
        run = laboratory.start(name, tags=tags)
        laboratory.weights(run, {"loss.G": [1.0]})
        if name in "ab":
            run.finish()


def ids(answer: httpx.Response) -> list[str]:
    return [run["id"] for run in answer.json()]


def test_without_a_limit_all_come(client: httpx.Client, runs: None) -> None:
    answer = client.get("/api/runs")
    assert ids(answer) == NAMES
    assert answer.headers["x-total-count"] == "5"
    assert "link" not in answer.headers


def test_pages_lead_through_the_whole_list_and_back(client: httpx.Client, runs: None) -> None:
    answer = client.get("/api/runs?limit=2&tag=letter")
    found = ids(answer)
    assert 'rel="prev"' not in answer.headers["link"]
    while "next" in answer.links:
        address = answer.links["next"]["url"]
        assert urlsplit(address).path == "/api/runs"
        answer = client.get(address)
        assert answer.headers["x-total-count"] == "5"
        found += ids(answer)
    assert found == NAMES
    assert ids(client.get(answer.links["prev"]["url"])) == ["c", "b"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tag=vowel", ["e", "a"]),
        ("tag=vowel&tag=letter", ["e", "a"]),
        ("tag=vowel&tag=absent", []),
        ("status=finished", ["b", "a"]),
        ("status=running&tag=vowel", ["e"]),
        ("status=running&status=finished&offset=3", ["b", "a"]),
        ("status=lost", []),
        ("offset=7", []),
        ("offset=4&limit=1000", ["a"]),
    ],
)
def test_filters(client: httpx.Client, runs: None, query: str, found: list[str]) -> None:
    assert ids(client.get(f"/api/runs?{query}")) == found


def test_count_is_of_what_was_asked_for(client: httpx.Client, runs: None) -> None:
    assert client.get("/api/runs?tag=vowel&limit=1").headers["x-total-count"] == "2"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "offset=-1", "offset=x", "status=asleep"]
)
def test_bad_parameters_are_named(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/api/runs?{query}")
    assert answer.status_code == 422
    assert f"query parameter '{query.partition('=')[0]}'" in answer.json()["detail"]


def test_many_tags_are_refused(client: httpx.Client) -> None:
    assert client.get("/api/runs?" + "&".join(["tag=x"] * 21)).status_code == 422
