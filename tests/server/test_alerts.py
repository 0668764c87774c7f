"""What people say to alerts, and the rules they make, over REST."""

import json
from typing import Any

import httpx
import pytest

from monitor.alerts.rule import parse_rule
from monitor.server.app import create_app
from monitor.store.connection import Store
from monitor.store.rules import MOST_RULES, keep_rule, stored_rules
from tests.server.laboratory import Laboratory, alert
from tests.server.listening import EventStream, serving
from tests.store.posting import entries, keys_of
from trainer_hooks import keys

#: Numbers that shorten when a script reads and writes them, names that break a careless one.
STRANGE = alert('de"mo', "mode_collapse", 40)


@pytest.fixture
def raised(laboratory: Laboratory) -> str:
    """A run with one alert; path of the alert."""
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.1]})
    laboratory.watched("demo", {"metrics": {}}, [alert("demo", "worker_behind", 40)])
    return "/api/runs/demo/alerts/worker_behind-40"


def shown(client: httpx.Client) -> dict[str, Any]:
    (found,) = client.get("/api/runs/demo/alerts").json()
    assert isinstance(found, dict)
    return found


def told(store: Store) -> list[dict[str, Any]]:
    found = entries(store, keys.events("demo"))
    return [json.loads(event[b"data"]) for event in found if event[b"event"] == b"alert"]


@pytest.mark.parametrize(
    ("call", "mark"), [("acknowledge", "acknowledged"), ("resolve", "resolved")]
)
def test_marks_are_set_once_and_told_once(
    client: httpx.Client, store: Store, raised: str, call: str, mark: str
) -> None:
    before = store.now_s()
    assert shown(client)[mark] is None
    first = client.post(f"{raised}/{call}").json()
    assert before <= first[mark] <= store.now_s()
    assert client.post(f"{raised}/{call}").json() == first == shown(client)
    assert [event[mark] for event in told(store)] == [None, first[mark]]
    # Nothing else has changed, to the last digit.
    assert {**first, mark: None} == alert("demo", "worker_behind", 40).as_dict()


def test_mute_lasts_as_long_as_it_was_told(client: httpx.Client, store: Store, raised: str) -> None:
    now_s = store.now_s()
    assert client.post(f"{raised}/mute").json()["muted_until"] == pytest.approx(now_s + 3600, abs=5)
    body = {"seconds": 60}
    longer = client.post(f"{raised}/mute", json=body).json()["muted_until"]
    assert longer == pytest.approx(now_s + 60, abs=5)
    assert client.post(f"{raised}/mute", json={"seconds": 0}).json()["muted_until"] is None


@pytest.mark.parametrize("seconds", [-1, 1e9, "long"])
def test_mute_of_no_sensible_length(client: httpx.Client, raised: str, seconds: Any) -> None:
    answer = client.post(f"{raised}/mute", json={"seconds": seconds})
    assert answer.status_code == 422
    assert "seconds" in answer.json()["detail"]


def test_unknown_ones_are_named(client: httpx.Client, raised: str) -> None:
    answer = client.post("/api/runs/demo/alerts/nobody/resolve")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "run 'demo' has no alert 'nobody'",
    )
    answer = client.post("/api/runs/other/alerts/nobody/resolve")
    assert (answer.status_code, answer.json()["detail"]) == (404, "no run is called 'other'")


def test_listeners_hear_what_became_of_an_alert(client: httpx.Client, raised: str) -> None:
    with EventStream(str(client.base_url), "/api/runs/demo/events") as stream:
        while stream.next().name != "status":
            pass
        client.post(f"{raised}/acknowledge")
        event = stream.next()
    assert event.name == "alert"
    assert event.data == shown(client)


def test_strange_names_survive(client: httpx.Client, laboratory: Laboratory) -> None:
    laboratory.weights(laboratory.start('de"mo'), {"S.G": [0.1]})
    laboratory.watched('de"mo', {"metrics": {}}, [STRANGE])
    answer = client.post(f"/api/runs/de%22mo/alerts/{STRANGE.id}/acknowledge").json()
    assert {**answer, "acknowledged": None} == STRANGE.as_dict()


def test_marks_go_with_the_run(client: httpx.Client, store: Store, raised: str) -> None:
    client.post(f"{raised}/acknowledge")
    client.delete("/api/runs/demo")
    assert [key for key in keys_of(store) if "demo" in key] == []


def test_rules_are_made_listed_and_removed(client: httpx.Client, store: Store) -> None:
    assert client.get("/api/rules").json() == []
    body = {"when": "D<2 for 3 batches", "run": "demo", "severity": "critical", "clear": 2.5}
    answer = client.post("/api/rules", json=body)
    assert answer.status_code == 201
    made = answer.json()
    assert made == {
        "id": parse_rule(body).id, "name": "D < 2 for 3 batches", "when": "D < 2 for 3 batches",
        "run": "demo", "severity": "critical", "cooldown": "10 min", "clear": "2.5", "action": "",
        "source": "rest",
    }  # fmt: skip
    assert client.get("/api/rules").json() == [made]
    client.post("/api/rules", json={**body, "severity": "info"})
    assert [each["severity"] for each in client.get("/api/rules").json()] == ["info"]
    assert client.delete(f"/api/rules/{made['id']}").status_code == 204
    assert client.get("/api/rules").json() == []
    answer = client.delete(f"/api/rules/{made['id']}")
    assert answer.status_code == 404
    assert made["id"] in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"when": "D is low"}, "the rule 'D is low' compares nothing; expected `METRIC < NUMBER`"),
        ({"when": "D < 2", "severity": "bad"}, "expected info, warning, critical"),
        ({"when": "D < 2", "cooldown": "soon"}, "cooldown is 'soon'; expected"),
        ({}, "when: Field required"),
        ({"when": "D < 2", "colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_mistakes_are_named(client: httpx.Client, body: dict[str, Any], said: str) -> None:
    answer = client.post("/api/rules", json=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_rules_of_the_file_end_in_the_file(store: Store) -> None:
    rule = parse_rule("D < 2")
    # Made over REST before it stood in the file: it is the file's now.
    keep_rule(store, rule.id, rule.told)
    with serving(create_app(store, rules=[rule])) as client:
        (found,) = client.get("/api/rules").json()
        assert (found["id"], found["source"]) == (rule.id, "file")
        assert client.delete(f"/api/rules/{rule.id}").status_code == 409
        answer = client.post("/api/rules", json={"when": "D < 2"})
        assert answer.status_code == 409
        assert "is in sqd.toml" in answer.json()["detail"]


def test_rules_are_bounded(client: httpx.Client, store: Store) -> None:
    for number in range(MOST_RULES):
        rule = parse_rule(f"D < {number}")
        keep_rule(store, rule.id, rule.told)
    answer = client.post("/api/rules", json={"when": "Q < 0.1"})
    assert answer.status_code == 409
    assert f"there are {MOST_RULES} rules already" in answer.json()["detail"]
    assert client.post("/api/rules", json={"when": "D < 5"}).status_code == 201
    assert len(stored_rules(store)) == MOST_RULES


def test_rule_of_another_version_is_left_out(client: httpx.Client, store: Store) -> None:
    keep_rule(store, "strange", {"when": "D ~ 2"})
    assert client.get("/api/rules").json() == []
