"""Who may read what with which token."""

import re
from collections.abc import Iterator

import httpx
import pytest

from monitor.errors import SettingsError
from monitor.server.app import create_app
from monitor.server.auth import COOKIE_S, Gate
from monitor.store.connection import Store
from tests.server.laboratory import Laboratory
from tests.server.listening import EventStream, serving

TOKEN = "correct horse battery ✓"
READ_TOKEN = "only looking"
HEADER = {b"Authorization": f"Bearer {TOKEN}".encode()}
READER = {"Authorization": f"Bearer {READ_TOKEN}"}
GUARDED = [
    "/api/runs",
    "/api/runs/demo",
    "/api/runs/demo/series?points=-1",
    "/api/runs/demo/samples",
    "/api/runs/demo/samples/1",
    "/api/runs/demo/modes/1",
    "/api/runs/demo/alerts",
    "/api/runs/demo/events",
    "/api/events",
    "/metrics",
]
OPEN = ["/", "/login", "/runs/demo", "/static/main.js", "/healthz", "/readyz", "/openapi.json"]


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    """Of a server with both tokens."""
    with serving(create_app(store, token=TOKEN, read_token=READ_TOKEN)) as found:
        yield found


@pytest.mark.parametrize("path", GUARDED)
def test_data_needs_the_token(client: httpx.Client, path: str) -> None:
    missing = client.get(path)
    assert missing.status_code == 401
    assert missing.headers["www-authenticate"] == "Bearer"
    assert "token" in missing.json()["detail"]
    wrong = client.get(path, headers={"Authorization": "Bearer guess"})
    assert (wrong.status_code, wrong.json()) == (403, {"detail": "the token is wrong"})


def test_deleting_needs_the_token(client: httpx.Client, laboratory: Laboratory) -> None:
    laboratory.weights(laboratory.start("demo"), {"loss.G": [1.0]})
    assert client.delete("/api/runs/demo").status_code == 401
    assert client.delete("/api/runs/demo", headers=HEADER).status_code == 204


@pytest.mark.parametrize("path", OPEN)
def test_what_holds_no_data_is_open(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code not in (401, 403)


def test_bearer_opens(client: httpx.Client) -> None:
    assert client.get("/api/runs", headers=HEADER).json() == []
    assert client.get("/metrics", headers=HEADER).status_code == 200


def test_login_gives_a_cookie_that_opens(client: httpx.Client) -> None:
    answer = client.post("/api/login", json={"token": TOKEN})
    assert (answer.status_code, answer.content) == (204, b"")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/api/runs").json() == []
    value = cookie.partition(";")[0]
    with EventStream(str(client.base_url), "/api/events", Cookie=value) as stream:
        assert stream.status == 200


def test_wrong_login_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/login", json={"token": "guess"})
    assert (answer.status_code, answer.json()) == (403, {"detail": "the token is wrong"})
    assert "set-cookie" not in answer.headers


def test_old_cookie_asks_for_login_again(client: httpx.Client) -> None:
    assert client.get("/api/runs", headers={"Cookie": "sqd_session=old"}).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"token": 7}', b'{"tokens": "secret-7"}'])
def test_bad_login_body_is_refused_and_not_quoted(client: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/api/login", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("request body, ")
    assert "secret-7" not in answer.text


def test_without_a_token_login_is_harmless(store: Store) -> None:
    with serving(create_app(store)) as client:
        answer = client.post("/api/login", json={"token": "anything"})
        assert answer.status_code == 204
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ({"token": ""}, "token is empty"),
        ({"token": "t", "read_token": ""}, "token is empty"),
        ({"token": "t", "read_token": "t"}, "is the same as --token"),
        ({"read_token": "t"}, "needs --token"),
    ],
)
def test_tokens_that_let_too_much_pass_are_refused(
    store: Store, tokens: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        create_app(store, **tokens)  # type: ignore[arg-type]


def test_reader_reads_everything_and_changes_nothing(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    laboratory.weights(laboratory.start("demo"), {"loss.G": [1.0]})
    description = client.get("/openapi.json").json()
    guarded = [
        (path, method)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if operation.get("security")
    ]
    for path, method in guarded:
        address = re.sub(r"\{\w+\}", "1", path.replace("{run}", "demo"))
        with client.stream(method, address, headers=READER) as answer:
            assert (answer.status_code == 403) == (method != "get"), (path, method)
    assert {method for _, method in guarded} >= {"get", "post", "delete"}
    assert client.get("/api/runs/demo", headers=HEADER).json()["stop"] is None


def test_session_is_for_what_its_token_was(client: httpx.Client, laboratory: Laboratory) -> None:
    laboratory.weights(laboratory.start("demo"), {"loss.G": [1.0]})
    client.post("/api/login", json={"token": READ_TOKEN})
    refused = client.delete("/api/runs/demo")
    assert refused.status_code == 403
    assert "may only read" in refused.json()["detail"]
    assert client.get("/api/runs/demo").status_code == 200
    client.post("/api/login", json={"token": TOKEN})
    assert client.delete("/api/runs/demo").status_code == 204


def test_session_ends_and_cannot_be_made_longer() -> None:
    now_s = [1000.0]
    gate = Gate(TOKEN, READ_TOKEN, clock=lambda: now_s[0])
    session = gate.session("read")
    assert gate.role_of(session) == "read"
    ends, _, proof = session.partition(".")
    for forged in (f"{int(ends) + 1}.{proof}", f"{ends}.", proof, f"-{session}", "é.1", "9" * 5000):
        assert gate.role_of(forged) is None
    assert Gate("another", READ_TOKEN).role_of(gate.session("write")) is None
    now_s[0] += COOKIE_S
    assert gate.role_of(session) is None
