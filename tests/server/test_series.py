"""Curves, as JSON and as CSV."""

import csv
import io
import math

import httpx
import numpy as np
import pytest

from monitor.store.blocks import Cell
from tests.server.laboratory import EPOCH_S, Laboratory, Values

PATH = "/api/runs/demo/series"


@pytest.fixture
def demo(laboratory: Laboratory) -> Laboratory:
    """A run with five rows of S and two of D."""
    run = laboratory.start("demo")
    values: dict[str, Values] = {
        "S.G": [0.1, 0.2, None, 0.4, 0.5],
        "S.G/w": [1.0] * 5,
        "loss, G": [1.0] * 5,
    }
    laboratory.weights(run, values)
    laboratory.samples(run, 2, {"D": [Cell(0, 3.1, stderr=0.05, n=500, status="insufficient")]})
    return laboratory


def test_columns_are_equally_long_and_missing_is_null(
    client: httpx.Client, demo: Laboratory
) -> None:
    assert client.get(PATH, params={"metric": ["S.G", "D"]}).json() == {
        "S.G": {
            "step": [1, 2, 3, 4, 5],
            "epoch": [0.5, 1.0, 1.5, 2.0, 2.5],
            "time": [EPOCH_S + step for step in range(1, 6)],
            "value": [0.1, 0.2, None, 0.4, 0.5],
            "stderr": [None] * 5,
            "n": [1] * 5,
            "status": ["ok", "ok", "failed", "ok", "ok"],
        },
        "D": {
            "step": [2], "epoch": [1.0], "time": [EPOCH_S + 2], "value": [3.1], "stderr": [0.05],
            "n": [500], "status": ["insufficient"],
        },
    }  # fmt: skip


def test_default_is_all_but_single_tensors(client: httpx.Client, demo: Laboratory) -> None:
    assert list(client.get(PATH).json()) == ["D", "S.G", "loss, G"]


def test_tensor_is_there_when_asked_for(client: httpx.Client, demo: Laboratory) -> None:
    assert client.get(PATH, params={"metric": "S.G/w"}).json()["S.G/w"]["value"] == [1.0] * 5


@pytest.mark.parametrize(
    ("bounds", "steps"),
    [
        ("from=2&to=4", [2, 3, 4]),
        ("from=4", [4, 5]),
        ("to=2", [1, 2]),
        ("from=&to=", [1, 2, 3, 4, 5]),
        ("from=4&to=2", []),
    ],
)
def test_bounds_are_inclusive(
    client: httpx.Client, demo: Laboratory, bounds: str, steps: list[int]
) -> None:
    assert client.get(f"{PATH}?metric=S.G&{bounds}").json()["S.G"]["step"] == steps


def test_spike_in_200_000_points_survives(client: httpx.Client, laboratory: Laboratory) -> None:
    values = np.full(200_000, 0.5)
    values[77_777] = 9.0
    laboratory.weights(laboratory.start("demo"), {"S.G": values.tolist()})
    shown = client.get(PATH, params={"metric": "S.G"}).json()["S.G"]
    assert len(shown["step"]) <= 2000
    assert shown["value"][shown["step"].index(77_778)] == 9.0
    everything = client.get(PATH, params={"metric": "S.G", "points": 0}).json()["S.G"]
    assert everything["step"] == list(range(1, 200_001))


def test_json_is_compressed_and_kept_for_one_reader(
    client: httpx.Client, laboratory: Laboratory
) -> None:
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.5] * 1000})
    answer = client.get(PATH, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "private, no-cache"
    plain = client.get(PATH, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == answer.json()


def test_csv_has_every_point(client: httpx.Client, demo: Laboratory) -> None:
    answer = client.get(PATH, params={"format": "csv", "points": 0})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "demo.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["metric"], row["step"]) for row in rows] == [
        ("D", "2"), *(("S.G", str(step)) for step in range(1, 6)),
        *(("loss, G", str(step)) for step in range(1, 6)),
    ]  # fmt: skip
    assert rows[0] == {
        "metric": "D", "step": "2", "epoch": "1.0", "time": str(EPOCH_S + 2), "value": "3.1",
        "stderr": "0.05", "n": "500", "status": "insufficient",
    }  # fmt: skip
    assert (rows[3]["value"], rows[3]["status"]) == ("", "failed")


def test_long_csv_is_complete(client: httpx.Client, laboratory: Laboratory) -> None:
    values = [math.sqrt(step) for step in range(25_001)]
    laboratory.weights(laboratory.start("demo"), {"S.G": values})
    text = client.get(PATH, params={"format": "csv", "points": 0}).text
    rows = list(csv.reader(io.StringIO(text)))[1:]
    assert [float(row[4]) for row in rows] == values


@pytest.mark.parametrize("extra", ["", "&format=csv"])
def test_unknown_metric_is_named(client: httpx.Client, demo: Laboratory, extra: str) -> None:
    answer = client.get(f"{PATH}?metric=S.G&metric=S.X{extra}")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "run 'demo' has no metric 'S.X'"}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("points=-1", "points"),
        ("points=100001", "points"),
        ("points=many", "points"),
        ("from=x", "from"),
        ("to=-3", "to"),
        ("to=9007199254740992", "to"),
        ("from=1.5", "from"),
        ("format=xml", "format"),
        ("&".join(["metric=a"] * 501), "metric"),
    ],
)
def test_bad_parameter_is_named(
    client: httpx.Client, demo: Laboratory, query: str, name: str
) -> None:
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert detail.startswith(f"query parameter {name!r} is ")
    assert ";" not in detail


def test_two_bad_parameters_are_both_named(client: httpx.Client, demo: Laboratory) -> None:
    detail = client.get(f"{PATH}?points=-1&to=x").json()["detail"]
    assert "'points'" in detail
    assert "'to'" in detail
