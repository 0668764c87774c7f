"""The login page, its form, logout."""

from collections.abc import Iterator

import httpx
import pytest

from monitor.server.app import create_app
from monitor.server.login import inside
from monitor.store.connection import Store
from tests.server.listening import serving

TOKEN, READ_TOKEN = "correct horse", "only looking"


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    """Of a server with both tokens."""
    with serving(create_app(store, token=TOKEN, read_token=READ_TOKEN)) as found:
        yield found


def test_form_leads_on_to_the_page_that_was_asked_for(client: httpx.Client) -> None:
    page = client.get("/login", params={"next": "/runs/a%20b?x=step"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert 'value="/runs/a%20b?x=step"' in page.text
    answer = client.post("/api/login", data={"token": TOKEN, "next": "/runs/a%20b?x=step"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs/a%20b?x=step")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/api/runs").json() == []


def test_wrong_form_is_shown_again(client: httpx.Client) -> None:
    answer = client.post("/api/login", data={"token": "guess-7", "next": '/runs/"><script>'})
    assert answer.status_code == 403
    assert "the token is wrong" in answer.text
    assert "guess-7" not in answer.text
    assert 'value="/runs/&quot;&gt;&lt;script&gt;"' in answer.text
    assert "set-cookie" not in answer.headers


def test_page_has_no_script_and_may_have_none(client: httpx.Client) -> None:
    page = client.get("/login")
    assert "<script" not in page.text
    assert " on" not in page.text.partition("<form")[2].partition("</form>")[0]
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; form-action 'self'")
    assert "unsafe" not in policy
    # With no-referrer a browser would send the form with `Origin: null`.
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"


def test_form_of_another_site_is_refused(client: httpx.Client) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        for path in ("/api/login", "/api/logout"):
            answer = client.post(path, data={"token": TOKEN}, headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(("token", "may"), [(TOKEN, "change everything"), (READ_TOKEN, "nothing")])
def test_page_says_what_a_session_may_and_ends_it(
    client: httpx.Client, token: str, may: str
) -> None:
    assert client.post("/api/login", json={"token": token}).status_code == 204
    page = client.get("/login")
    assert may in page.text
    assert 'action="/api/logout"' in page.text
    answer = client.post("/api/logout", data={"": ""})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert client.get("/api/runs").status_code == 401
    assert client.post("/api/logout").status_code == 204


@pytest.mark.parametrize(("token", "role"), [(TOKEN, "write"), (READ_TOKEN, "read")])
def test_session_says_what_a_token_is_for_and_how_it_came(
    client: httpx.Client, token: str, role: str
) -> None:
    assert client.get("/api/session").status_code == 401
    header = {"Authorization": f"Bearer {token}"}
    told = client.get("/api/session", headers=header).json()
    assert told == {"role": role, "cookie": False}
    client.post("/api/login", json={"token": token})
    assert client.get("/api/session").json() == {"role": role, "cookie": True}
    # The header is what counts, and no logout takes it back.
    assert client.get("/api/session", headers=header).json() == told


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "",
        "runs",
        "/a\r\nb",
        "/\tb",
        "/ü",
    ],
)
def test_nothing_leads_out(path: str) -> None:
    assert inside(path) == "/"


def test_without_a_token_the_page_leads_on(store: Store) -> None:
    with serving(create_app(store)) as client:
        answer = client.get("/login?next=/runs/demo")
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs/demo")
        assert client.get("/api/session").json() == {"role": "write", "cookie": False}


def test_too_many_fields_are_refused(client: httpx.Client) -> None:
    answer = client.post("/api/login", data={f"n{i}": "x" for i in range(20)})
    assert answer.status_code == 422
    assert answer.json() == {"detail": "request body, as a whole: more than 8 fields"}
