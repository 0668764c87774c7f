"""The dashboard and the rules in docs/ ask for what `/metrics` really tells."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from monitor.server.app import create_app
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from monitor.worker.fast import FastLane
from monitor.worker.loop import Worker
from monitor.worker.samples import SamplesLane
from tests.deploy.prometheus import Prometheus, promtool
from tests.server.laboratory import Laboratory, alert
from tests.server.listening import serving
from tests.store.posting import Trainer, samples_frame
from tests.worker.laboratory import evaluators, painted

DOCS = Path(__file__).parents[2] / "docs"
RULES = DOCS / "prometheus" / "alerts.yml"
CASES = Path(__file__).parent / "alerts.test.yml"
DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana" / "sqd-monitor.json").read_text())
NAME = re.compile(r"\bsqd_[a-z_]+\b")
TOKEN = "only to read"
#: What Grafana puts in for its variables.
VARIABLES = {"$__rate_interval": "1m", "$run": ".*"}


def alerting() -> list[dict[str, Any]]:
    """The alert rules."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard that show something."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def asked() -> dict[str, str]:
    """Every expression of the dashboard, as Prometheus gets it, with its legend."""
    found = {}
    for target in (target for panel in panels() for target in panel["targets"]):
        expression = target["expr"]
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        found[expression] = target["legendFormat"]
    return found


class Work:
    """A store with runs, workers that work in this process, and something lost each time."""

    def __init__(self, store: Store, laboratory: Laboratory) -> None:
        self._laboratory = laboratory
        self._trainer = Trainer(store, "batches", metrics=["Q", "D", "kid"])
        features = np.eye(8, 2, dtype=np.float32)
        self._workers = [
            Worker(store, lane) for lane in (SamplesLane(evaluators(features=features)), FastLane())
        ]
        self._run = laboratory.start('a "run"')
        self._batch = 0
        for worker in self._workers:
            worker.ready()

    def do(self) -> None:
        """A batch, scalars, a point that fails, a call that is wrong, an alert, and its end."""
        self._batch += 1
        images = painted([100] * 20, np.arange(20) % 3)
        self._trainer.post(samples_frame(images, seq=self._batch))
        self._trainer.scalars([1.0], first=self._batch)
        for worker in self._workers:
            while worker.step(wait_ms=1):
                pass
            getattr(worker, "_beat")()  # noqa: B009 - what its main thread does
        failed = Cell(0, None, status="failed", reason="chosen by the test")
        self._laboratory.weights(self._run, {"S.G": [failed]}, steps=[self._batch])
        self._run.push_weights(self._batch, scalars={"bad\nname": 1.0})
        self._laboratory.arrived(self._run, 100 * self._batch)
        raised = [alert(self._run.id, "quality", self._batch)]
        self._laboratory.watched(self._run.id, {"metrics": {}}, raised)


@pytest.fixture
def work(store: Store, embedded: EmbeddedRedis) -> Iterator[Work]:
    """Work that was begun."""
    laboratory = Laboratory(store, embedded.redis_url)
    found = Work(store, laboratory)
    found.do()
    yield found
    laboratory.close()


@pytest.fixture
def server(store: Store, work: Work) -> Iterator[httpx.Client]:
    """A server that wants a token, and a client that has it."""
    with serving(create_app(store, token="to write", read_token=TOKEN)) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        # The first answer that is counted.
        assert client.get("/healthz").is_success
        yield client


def test_every_name_is_told_and_every_family_is_documented(server: httpx.Client) -> None:
    families = list(text_string_to_metric_families(server.get("/metrics").text))
    told = {sample.name for family in families for sample in family.samples}
    queries = [*asked(), *(rule["expr"] for rule in alerting())]
    queries += [each["definition"] for each in DASHBOARD["templating"]["list"][1:]]
    for query in queries:
        names = set(NAME.findall(query))
        assert names, query
        assert names <= told, query
    rows = re.findall(r"^\| `(sqd_\w+)` \| (.*?) \|", (DOCS / "operations.md").read_text(), re.M)
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    real = {
        # The parser knows a counter by its name without the ending.
        family.name + "_total" * (family.type == "counter"): {
            label for sample in family.samples for label in sample.labels
        }
        - {"le"}
        for family in families
    }
    assert documented == real


def test_promtool_finds_nothing_to_say_of_our_names(server: httpx.Client) -> None:
    assert promtool("check", "metrics", given=server.get("/metrics").text) == ""


def test_prometheus_understands_all_and_finds_something(
    server: httpx.Client, work: Work, tmp_path: Path
) -> None:
    settings = yaml.safe_load((DOCS / "prometheus" / "prometheus.yml").read_text())
    (tmp_path / "sqd-token").write_text(TOKEN)
    for file in (DOCS / "prometheus").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    promtool("check", "config", str(tmp_path / "prometheus.yml"))
    prometheus = Prometheus(tmp_path, settings, urlsplit(str(server.base_url)).netloc)
    try:

        def reads() -> float:
            return sum(float(each["value"][1]) for each in prometheus.query("sqd_pushes_total"))

        before = prometheus.until(reads)
        work.do()
        prometheus.until(lambda: reads() > before)
        empty = [*asked()]
        # A rise needs two looks at it.
        prometheus.until(lambda: not still_empty(prometheus, empty))
        for expression, legend in asked().items():
            named = set(re.findall(r"\{\{(\w+)\}\}", legend))
            for result in prometheus.query(expression):
                assert set(result["metric"]) == named, expression
        rules = prometheus.rules()
        assert {rule["name"] for rule in rules} == {rule["alert"] for rule in alerting()}
        assert all(rule["health"] in ("ok", "unknown") for rule in rules)
    finally:
        prometheus.close()


def still_empty(prometheus: Prometheus, expressions: list[str]) -> list[str]:
    """Those that have not given anything yet; they are what remains."""
    expressions[:] = [each for each in expressions if not prometheus.query(each)]
    return expressions


def test_rules_say_what_the_cases_expect() -> None:
    promtool("check", "rules", str(RULES))
    promtool("test", "rules", str(CASES))
    told = re.findall(r'alertname="(\w+)"', CASES.read_text())
    assert set(told) == {rule["alert"] for rule in alerting()}


def test_rules_tell_people_what_it_is() -> None:
    for rule in alerting():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert {"summary", "description"} == set(rule["annotations"])


@pytest.mark.parametrize(
    "what",
    [
        lambda panel: panel["title"],
        lambda panel: panel["fieldConfig"]["defaults"]["unit"],
        lambda panel: all(
            each["datasource"]["uid"] == "${datasource}" for each in panel["targets"]
        ),
    ],
)
def test_panels_are_complete(what: Callable[[dict[str, Any]], Any]) -> None:
    assert all(map(what, panels()))


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
