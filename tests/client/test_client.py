"""Every call of the client, against the real server."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

from monitor.client import Client, answers
from monitor.client import client as module
from monitor.errors import ClientError
from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.client.conftest import READ_TOKEN
from tests.server.laboratory import EPOCH_S, Laboratory, alert
from tests.server.test_runs import STRANGE
from tests.server.test_samples import MODES


def test_everything_of_a_run(client: Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo", tags=("a", "b"), config={"lr": 0.1})
    laboratory.weights(run, {"S.G": [0.1, None, 0.3], "S.G/w": [1.0] * 3, "loss.G": [2.0] * 3})
    laboratory.samples(run, 600, {"Q": [0.5]}, grid=b"RIFF", modes=MODES)
    laboratory.watched("demo", {"metrics": {}}, [alert("demo", "diversity", 2)])

    (summary,) = client.runs()
    assert (summary["id"], summary["latest"]["S.G"]["value"]) == ("demo", 0.3)
    detail = client.run("demo")
    assert detail["config"]["lr"] == 0.1
    assert (detail["tensor_metrics"], detail["stop"]) == (["S.G/w"], None)
    series = client.series("demo", "S.G")
    assert list(series) == ["S.G"]
    assert series["S.G"]["value"] == [0.1, None, 0.3]
    assert series["S.G"]["time"] == [EPOCH_S + 1, EPOCH_S + 2, EPOCH_S + 3]
    assert set(client.series("demo")) == {"S.G", "loss.G", "Q"}
    assert client.series("demo", "S.G", first=2, last=2)["S.G"]["step"] == [2]
    assert client.samples("demo") == [600]
    assert client.grid("demo", 600) == b"RIFF"
    assert client.modes("demo", 600)["counts"] == MODES["counts"]
    assert [each["kind"] for each in client.alerts("demo")] == ["diversity"]
    asked = client.stop("demo", "it repeats")
    assert asked is not None
    assert (asked["by"], asked["reason"]) == ("client", "it repeats")
    assert client.run("demo")["stop"] is not None
    client.withdraw_stop("demo")
    assert client.run("demo")["stop"] is None
    assert client.limit("demo", days=3, nbytes=10**9) == client.run("demo")["limits"]
    assert client.limit("demo") == {"days": None, "bytes": None, "grids": None}
    client.delete("demo")
    assert list(client.runs()) == []


def test_alerts_are_acted_on(client: Client, laboratory: Laboratory) -> None:
    laboratory.weights(laboratory.start("demo"), {"D": [1.0]})
    laboratory.watched("demo", {"metrics": {}}, [alert("demo", "diversity", 2)])
    (told,) = client.alerts("demo")
    assert (told["acknowledged"], told["muted_until"], told["resolved"]) == (None, None, None)
    assert client.acknowledge("demo", told["id"])["acknowledged"] is not None
    assert client.mute("demo", told["id"], 60)["muted_until"] is not None
    assert client.mute("demo", told["id"], 0)["muted_until"] is None
    assert client.resolve("demo", told["id"])["resolved"] is not None
    (told,) = client.alerts("demo")
    assert told["resolved"] is not None


def test_rules_are_made_and_removed(client: Client) -> None:
    made = client.make_rule("D < 2 for 3 batches", severity="critical")
    assert client.rules() == [made]
    assert (made["when"], made["severity"]) == ("D < 2 for 3 batches", "critical")
    client.remove_rule(made["id"])
    assert client.rules() == []
    with pytest.raises(ClientError, match=r"\(422\)"):
        client.make_rule("what?")


def test_list_is_fetched_page_after_page(
    client: Client, laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("d", "c", "b", "a & c", "a"):
        run = laboratory.start(name, tags=("letter", "a" if "a" in name else "other"))
        laboratory.weights(run, {"loss.G": [1.0]})
    monkeypatch.setattr(module, "PAGE_RUNS", 2)
    assert [run["id"] for run in client.runs()] == ["a", "a & c", "b", "c", "d"]
    found = client.runs(tags=["a", "letter"], statuses=["running", "lost"])
    assert [run["id"] for run in found] == ["a", "a & c"]
    assert list(client.runs(statuses=["finished"])) == []


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_are_only_names(client: Client, laboratory: Laboratory, name: str) -> None:
    laboratory.weights(laboratory.start(name), {name: [1.0]})
    assert client.run(name)["id"] == name
    assert client.series(name, name)[name]["value"] == [1.0]
    client.delete(name)
    assert list(client.runs()) == []


def test_refusal_has_its_status_and_reason(client: Client, address: str) -> None:
    with pytest.raises(ClientError, match="no run is called 'absent'") as caught:
        client.run("absent")
    assert caught.value.status == 404
    with pytest.raises(ClientError, match="'points' is '-1'") as caught:
        client.series("absent", points=-1)
    assert caught.value.status == 422
    with pytest.raises(ClientError, match="needs its token") as caught:
        list(Client(address).runs())
    assert caught.value.status == 401
    with pytest.raises(ClientError, match="may only read") as caught:
        Client(address, READ_TOKEN).delete("absent")
    assert caught.value.status == 403
    assert list(Client(address, READ_TOKEN).runs()) == []


def test_token_of_two_lines_is_refused() -> None:
    with pytest.raises(ClientError, match="unprintable"):
        Client("http://127.0.0.1:9", "a\nX-Other: b")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9 does not answer"),
        ("127.0.0.1:8000", "is no address of a server"),
        ("file:///etc", "is no address of a server"),
    ],
)
def test_no_server_is_one_sentence(url: str, reason: str) -> None:
    with pytest.raises(ClientError, match=reason) as caught:
        list(Client(url, "secret").runs())
    assert caught.value.status == 0
    assert "secret" not in str(caught.value)


class Stranger(http.server.BaseHTTPRequestHandler):
    """A server that is none of ours."""

    asked: list[tuple[str, str | None]] = []  # noqa: RUF012 - one for the test

    def do_GET(self) -> None:
        """Send elsewhere, or answer with a page."""
        self.asked.append((self.path, self.headers["Authorization"]))
        moved = self.path.startswith("/api/runs/moved")
        body = b"<html>\n  hello</html>"
        self.send_response(302 if moved else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Be quiet."""


@pytest.fixture
def stranger() -> Iterator[str]:
    """Its address."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_token_is_not_carried_elsewhere(stranger: str) -> None:
    with pytest.raises(ClientError, match="302 Found: <html> hello</html>"):
        Client(stranger, "secret").run("moved")
    assert Stranger.asked == [("/api/runs/moved", "Bearer secret")]


def test_another_server_is_told(stranger: str) -> None:
    with pytest.raises(ClientError, match="is this an SQD server"):
        Client(stranger).run("demo")


@pytest.mark.parametrize(
    "kind",
    [
        answers.Alert, answers.LastAlert, answers.Modes, answers.RuleInfo, answers.RunDetail,
        answers.RunSummary,
        answers.SeriesColumns, answers.Verdict,
    ],
)  # fmt: skip
def test_types_promise_only_what_is_described(store: Store, kind: Any) -> None:
    schemas = create_app(store).openapi()["components"]["schemas"]
    assert set(get_type_hints(kind)) <= set(schemas[kind.__name__]["properties"])
