"""What commands print and write: complete, and readable by other programs."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest

import torch  # isort: skip  # First: it brings the CUDA libraries.
import onnxruntime

from monitor.server.assets import assets_dir
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from monitor.store.jobs import JobQueue
from monitor.store.watching import WatchStore
from monitor.store.workers import beat
from monitor.types import Alert
from tests.cli.conftest import Result, Sqd
from tests.store.posting import START_S, Trainer, finish

#: More rows than a chunk, and than a downsampled curve would have.
ROWS = 5000
NAMES = ("[red]x", "[bold]", "a" * 128, "ünï [x] y")


@pytest.fixture
def sqd_here(sqd: Sqd, embedded: EmbeddedRedis) -> Callable[..., Result]:
    """Runs a command against the tests' Redis; it must succeed."""

    def run(*arguments: str) -> Result:
        result = sqd(*arguments, "--redis-url", embedded.redis_url)
        assert result.code == 0, result
        return result

    return run


@pytest.fixture
def run(store: Store) -> Trainer:
    """A run with many rows, a tensor, a batch that turns, and points that are not ok."""
    queue = JobQueue(store, "worker")
    queue.ensure_groups()
    trainer = Trainer(store)
    cells = {
        "S.G": [Cell(row, (row + 1) / 7) for row in range(ROWS)],
        "S.G/conv": [Cell(7, 0.5)],
        "loss.D": [Cell(3, None, status="nonfinite", reason="NaN")],
    }
    finish(queue, trainer, range(ROWS), range(ROWS), cells)
    batches = range(40)
    quality = [Cell(i, 0.9 if i < 30 else 0.2, 0.01, 500) for i in batches]
    finish(queue, trainer, batches, [100 * i + 1 for i in batches], {"Q": quality}, kind="samples")
    return trainer


def test_csv_is_complete(run: Trainer, sqd_here: Callable[..., Result], tmp_path: Path) -> None:
    text = sqd_here("export", "demo").out
    rows = list(csv.DictReader(io.StringIO(text)))
    found = {row["metric"] for row in rows}
    assert found == {"S.G", "S.G/conv", "loss.D", "Q"}
    angles = [row for row in rows if row["metric"] == "S.G"]
    assert [float(row["value"]) for row in angles] == [(row + 1) / 7 for row in range(ROWS)]
    assert angles[10] == {
        "metric": "S.G", "step": "10", "epoch": "1.0", "time": str(START_S + 10),
        "value": str(11 / 7), "stderr": "", "n": "1", "status": "ok",
    }  # fmt: skip
    (loss,) = [row for row in rows if row["metric"] == "loss.D"]
    assert (loss["value"], loss["status"]) == ("", "nonfinite")
    result = sqd_here("export", "demo", "-o", str(tmp_path / "demo.csv"))
    assert (result.out, result.err) == ("", f"wrote {tmp_path / 'demo.csv'}\n")
    assert (tmp_path / "demo.csv").read_text() == text


def test_parquet_is_complete(run: Trainer, sqd_here: Callable[..., Result], tmp_path: Path) -> None:
    sqd_here("export", "demo", "--format", "parquet", "-o", str(tmp_path / "demo.parquet"))
    table = pyarrow.parquet.read_table(tmp_path / "demo.parquet").to_pydict()
    angles = [v for m, v in zip(table["metric"], table["value"], strict=True) if m == "S.G"]
    assert angles == [(row + 1) / 7 for row in range(ROWS)]
    (index,) = [i for i, metric in enumerate(table["metric"]) if metric == "loss.D"]
    assert (table["value"][index], table["status"][index]) == (None, "nonfinite")
    assert table["stderr"][table["metric"].index("Q")] == 0.01


def test_page_holds_every_point_and_its_own_plotly(
    run: Trainer, sqd_here: Callable[..., Result], tmp_path: Path
) -> None:
    sqd_here("export", "demo", "--format", "html", "-o", str(tmp_path / "demo.html"))
    page = (tmp_path / "demo.html").read_text()
    assert not re.search(r"<script[^>]+src=", page)
    assert f"{5000 / 7}" in page
    for name in ("S.G", "loss.D", "Q"):
        assert f'"name":"{name}"' in page
    assert '"name":"S.G\\u002fconv"' not in page
    assert '"name":"S.G/conv"' not in page
    assert "<p>No alert.</p>" in page
    assert (tmp_path / "demo.html").stat().st_size < 2_000_000


def test_lines_of_the_page_have_the_dashboards_colours(
    run: Trainer, sqd_here: Callable[..., Result], tmp_path: Path
) -> None:
    sqd_here("export", "demo", "--format", "html", "-o", str(tmp_path / "demo.html"))
    page = (tmp_path / "demo.html").read_text()
    lines = re.findall(r'"line":\{"color":"(#\w+)"[^{}]*\},[^[\]]*?"name":"([^"]+)"', page)
    colors = dict(re.findall(r"--(\w+): (#\w+);", (assets_dir() / "style.css").read_text()))
    found = {name: color for color, name in lines}
    expected = {"S.G": "blue", "loss.D": "vermillion", "Q": "green"}
    assert {name: found[name] for name in expected} == {
        name: colors[variable] for name, variable in expected.items()
    }


def test_page_tells_the_alerts_at_their_steps(
    run: Trainer, store: Store, sqd_here: Callable[..., Result], tmp_path: Path
) -> None:
    watch = WatchStore(store, "mine")
    lease = watch.lease(0)
    assert lease is not None
    fell = Alert("a", "demo", "quality", 1201, 1400, ("Q",), "warning", "Q <b>fell</b>.", 5.0)
    over = Alert("b", "demo", "recovered", 1801, 1900, ("Q",), "info", "Q is back.", 6.0)
    lost = Alert("c", "demo", "trainer_lost", None, None, (), "warning", "Trainer lost.", 7.0)
    watch.commit(lease, "demo", None, [fell, over, lost])
    sqd_here("export", "demo", "--format", "html", "-o", str(tmp_path / "demo.html"))
    page = (tmp_path / "demo.html").read_text()
    assert "<li>Q &lt;b&gt;fell&lt;/b&gt;.</li><li>Trainer lost.</li>" in page
    assert '"x0":1201,"x1":1201' in page
    assert '"x0":1801' not in page
    assert "Q is back" not in page


def test_file_is_named_after_the_run(
    run: Trainer, sqd_here: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sqd_here("export", "demo", "--format", "parquet")
    assert (tmp_path / "demo.parquet").exists()


def test_file_of_a_long_name_is_one_that_can_be(
    store: Store, sqd_here: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Trainer(store, "😀" * 128)
    sqd_here("export", "😀" * 128, "--format", "parquet")
    assert [path.name for path in tmp_path.glob("*.parquet")] == ["😀" * 60 + ".parquet"]


def test_exported_lines_are_replayed(
    run: Trainer, sqd: Sqd, sqd_here: Callable[..., Result], tmp_path: Path
) -> None:
    lines = [
        json.loads(line)
        for line in sqd_here("export", "demo", "--format", "jsonl").out.splitlines()
    ]
    assert [line["step"] for line in lines] == list(range(ROWS))
    assert lines[1] == {"step": 1, "epoch": 0.1, "values": {"Q": 0.9, "S.G": 2 / 7}}
    assert lines[3]["values"] == {"S.G": 4 / 7, "loss.D": "NaN"}
    recorded = tmp_path / "demo.jsonl"
    sqd_here("export", "demo", "--format", "jsonl", "-o", str(recorded))
    result = sqd("replay", str(recorded), "--json")
    assert (result.code, result.err) == (0, "")
    found = [json.loads(line) for line in result.out.splitlines()]
    assert [turning["kind"] for turning in found] == ["quality"]
    assert set(found[0]) == {"step", "detected_step", "kind", "metrics", "severity", "message"}
    assert found[0]["step"] == 3001
    assert "quality: " in sqd("replay", str(recorded)).out


def test_replay_without_a_turn(sqd: Sqd, tmp_path: Path) -> None:
    (tmp_path / "calm.jsonl").write_text('{"step": 1, "epoch": null, "values": {"Q": 0.5}}\n')
    assert sqd("replay", str(tmp_path / "calm.jsonl")).out == "no turning point\n"
    assert sqd("replay", str(tmp_path / "calm.jsonl"), "--json").out == ""


def test_replay_at_another_sensitivity(
    sqd: Sqd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [0.9] * 40 + [0.6, 0.6, 0.9] * 10
    lines = [json.dumps({"step": i, "values": {"Q": x}}) for i, x in enumerate(values)]
    (tmp_path / "dips.jsonl").write_text("\n".join(lines))
    command = ("replay", str(tmp_path / "dips.jsonl"), "--json")
    steps = [
        json.loads(sqd(*command, "--sensitivity", name).out.splitlines()[0])["detected_step"]
        for name in ("high", "normal", "low")
    ]
    assert steps == sorted(steps)
    assert steps[0] < steps[2]
    monkeypatch.setenv("SQD_SENSITIVITY", "low")
    assert json.loads(sqd(*command).out.splitlines()[0])["detected_step"] == steps[2]
    assert sqd(*command, "--sensitivity", "highest").code == 2


def test_runs_as_json(run: Trainer, sqd_here: Callable[..., Result]) -> None:
    (found,) = json.loads(sqd_here("runs", "--json").out)
    assert (found["id"], found["status"], found["last_step"]) == ("demo", "running", ROWS - 1)
    assert found["alerts"] == 0
    assert set(found["latest"]) == {"S.G", "loss.D", "Q"}
    assert found["latest"]["Q"]["value"] == 0.2


def test_runs_as_a_table(run: Trainer, sqd_here: Callable[..., Result]) -> None:
    heading, row = sqd_here("runs").out.splitlines()
    assert heading.split() == ["run", "status", "step", "S", "Q", "D", "alerts"]
    assert row.split() == ["demo", "running", "4,999", "G", "7.1e+02", "0.200", "–", "0"]


def test_a_name_to_be_copied_is_on_one_line(store: Store, sqd_here: Callable[..., Result]) -> None:
    Trainer(store, "n" * 128)
    _, row = sqd_here("runs").out.splitlines()
    assert row.split()[0] == "n" * 128


def test_no_runs(store: Store, sqd_here: Callable[..., Result]) -> None:
    assert sqd_here("runs").out == "no runs yet\n"
    assert json.loads(sqd_here("runs", "--json").out) == []


@pytest.mark.parametrize("name", NAMES)
def test_strange_names_are_shown_in_full(
    store: Store, sqd_here: Callable[..., Result], name: str
) -> None:
    Trainer(store, name)
    table = sqd_here("runs").out
    shown = "".join(line[: table.index("status")].strip() for line in table.splitlines()[1:])
    assert shown.replace(" ", "") == name.replace(" ", "")
    assert sqd_here("export", name).out == "metric,step,epoch,time,value,stderr,n,status\n"


def test_doctor_says_what_it_found(store: Store, sqd: Sqd, embedded: EmbeddedRedis) -> None:
    beat(store, "host-1-a:samples", {"lane": "samples", "device": "cuda:0"})
    result = sqd("doctor", "--json", "--redis-url", embedded.redis_url)
    found = {finding["what"]: finding for finding in json.loads(result.out)}
    checks = {"packages", "torch", "onnxruntime", "embedded Redis", "Redis", "home", "spool"}
    assert set(found) == checks
    assert {finding["state"] for finding in found.values()} <= {"ok", "note", "bad"}
    assert "host-1-a:samples on cuda:0" in found["Redis"]["said"]
    assert "redis-server" in found["embedded Redis"]["said"]
    bad = [finding for finding in found.values() if finding["state"] == "bad"]
    assert result.code == (1 if bad else 0)
    assert embedded.redis_url not in result.out


def test_doctor_without_redis_and_with_a_bad_home(
    sqd: Sqd, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A GPU may need attention as well.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = sqd("doctor", "--json", "--home", "/proc/nowhere")
    found = {finding["what"]: finding for finding in json.loads(result.out)}
    assert (found["Redis"]["state"], found["home"]["state"]) == ("note", "bad")
    assert "start `sqd up`" in found["Redis"]["said"]
    assert result.code == 1
    assert result.err == "sqd: these need attention: home\n"


def test_doctor_tells_of_a_provider_that_cannot_be_loaded(
    sqd: Sqd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is in the package, whatever library is missing."""
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    result = sqd("doctor", "--json")
    found = {finding["what"]: finding for finding in json.loads(result.out)}
    assert found["onnxruntime"]["state"] == "bad", result
    assert found["onnxruntime"]["said"].startswith("its CUDA provider cannot be loaded; run: pip")


def test_doctor_tells_of_what_was_left_on_disk(sqd: Sqd, tmp_path: Path) -> None:
    folder = tmp_path / "spool" / "demo-1"
    folder.mkdir(parents=True)
    (folder / "about.json").write_text("{}")
    (folder / "weights-00000000.log").write_bytes(bytes(2_000_000))
    found = json.loads(sqd("doctor", "--json", "--home", str(tmp_path)).out)
    (spool,) = [finding for finding in found if finding["what"] == "spool"]
    assert spool["said"].startswith("1 trainers have 2.0 MB on disk; `sqd sync`")


def test_doctor_as_a_table(sqd: Sqd) -> None:
    assert "embedded Redis" in sqd("doctor").out
