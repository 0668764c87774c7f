"""The dashboard's files."""

import gzip
import re
from pathlib import Path

import httpx
import pytest

from monitor.server import page
from monitor.server.assets import PLOTLY, assets_dir


@pytest.mark.parametrize("path", ["/", "/runs/demo", "/runs/a%20b%25"])
def test_page_is_served_at_its_addresses(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    named = re.compile("modulepreload|plotly")
    plain = [line for line in answer.text.splitlines() if not named.search(line)]
    assert plain == (assets_dir() / "index.html").read_text().splitlines()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_page_names_all_that_it_will_load(client: httpx.Client) -> None:
    answer = client.get("/runs/demo").text
    modules = re.findall(r'<link rel="modulepreload" href="/static/([^"]+)">', answer)
    others = {"shared.js", "exchange.js", PLOTLY}
    assert set(modules) == {path.name for path in assets_dir().glob("*.js")} - others
    assert len(modules) == len(set(modules))
    assert '<script async src="/static/plotly-basic.min.js"></script>' in answer
    assert "plotly-basic" not in client.get("/").text


def test_every_module_is_served(client: httpx.Client) -> None:
    for path in assets_dir().glob("*.js"):
        answer = client.get(f"/static/{path.name}")
        assert answer.text == path.read_text()
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


def test_files_are_sent_compressed_to_who_can_read_that(client: httpx.Client) -> None:
    with client.stream("GET", "/static/main.js", headers={"Accept-Encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["vary"] == "Accept-Encoding"
    plain = client.get("/static/main.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content == (assets_dir() / "main.js").read_bytes()


def test_unchanged_file_is_not_sent_again(client: httpx.Client) -> None:
    first = client.get("/static/style.css")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/static/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_changed_file_is_sent_again(
    client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.js").write_text("before")
    monkeypatch.setattr(page, "assets_dir", lambda: tmp_path)
    before = client.get("/static/main.js")
    (tmp_path / "main.js").write_text("after")
    after = client.get("/static/main.js", headers={"If-None-Match": before.headers["etag"]})
    assert (before.text, after.text) == ("before", "after")


@pytest.mark.parametrize(
    "name",
    [
        "..%2fpyproject.toml", "%2e%2e%2fREADME.md", "..%5cpage.py", "%00.js", "absent.js",
        "package.json", ".env", "main.js%00", "a/main.js", "%2fetc%2fpasswd",
    ],
)  # fmt: skip
def test_nothing_else_is_served(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"detail"}


def test_plotly_is_small_on_the_line(client: httpx.Client) -> None:
    with client.stream("GET", f"/static/{PLOTLY}") as answer:
        raw = b"".join(answer.iter_raw())
    assert len(raw) < 500_000
    assert gzip.decompress(raw).startswith(b"/**\n* plotly.js (basic - minified) v")
