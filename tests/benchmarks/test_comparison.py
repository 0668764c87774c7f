"""Our server beside TensorBoard's, as a dry run; what is counted, asked and compared, exactly."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.server.asking import Question, ask_many, ask_once
from benchmarks.server.fidelity import Fidelity, judge
from benchmarks.server.memory import family, shared_bytes
from benchmarks.server.peers import MissingPeerError, MLflow, TensorBoard
from benchmarks.server.points import METRICS, make_points
from benchmarks.server.standing import comparison_table, quantile, ratio

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"


@pytest.fixture
def tensorboard() -> None:
    """It must be there; missing is a failure where CI could have installed it."""
    if not PEERS.with_name("tensorboard").exists():
        message = "TensorBoard is missing: make .venv-peers/tensorboard (`make test` does)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.mark.e2e
@pytest.mark.usefixtures("tensorboard")
def test_a_dry_run_beside_tensorboard(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.server.comparison",
        "--quick",
        "--clients",
        "1",
        "2",
    ]
    done = subprocess.run(
        [*command, "--only", "TensorBoard", "--output", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "comparison.json").read_text())
    assert any(told.startswith("tensorboard==") for told in results["about"]["versions"])
    assert list(results["rows"]) == ["sqd", "TensorBoard"]
    ours, theirs = results["rows"].values()
    assert ours["spikes"] == len(METRICS)
    assert 1900 < ours["points"] <= 2000
    # It draws them at random, and says so in its own documentation.
    assert theirs["points"] == 1000
    for row in (ours, theirs):
        assert (row["steps"], row["untrue"]) == (5000, 0)
        assert row["answer_bytes"] > 1000
        assert row["memory_bytes"] > 10_000_000
        assert {n: [len(block) for block in row["rounds_ms"][n]] for n in ("1", "2")} == {
            "1": [4, 4],
            "2": [4, 4],
        }
    assert "| TensorBoard | 5,000 | 1,000 |" in done.stdout


def test_peer_that_is_not_installed_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingPeerError, match=r"no mlflow beside .*: make bench-peers"):
        MLflow(make_points(10), tmp_path, tmp_path / "python")


def test_points_are_the_same_each_time_and_each_has_its_spike() -> None:
    points, again = make_points(1000), make_points(1000)
    assert np.array_equal(points.values, again.values)
    assert points.values.shape == (len(METRICS), 1000)
    for values, spike in zip(points.values, points.spikes, strict=True):
        assert np.argmax(values) == spike


def test_fidelity_counts_what_is_there_and_what_is_true() -> None:
    values = np.array([1.0, 2.0, 90.0, 4.0])
    float32 = [float(np.float32(v)) for v in (1.0, 90.0)]
    assert judge(([0, 2], float32), values, 2) == Fidelity(2, 2, True)
    # A mean, a step that is none, and a spike whose height is another.
    assert judge(([0, 1, 7], [1.0, 31.0, 4.0]), values, 2) == Fidelity(3, 1, False)
    assert judge(([2], [60.0]), values, 2) == Fidelity(1, 0, False)
    assert judge(([], []), values, 2) == Fidelity(0, 0, False)


def test_ratio_is_of_medians_of_the_same_round() -> None:
    ours, theirs = [[1.0, 2.0, 9.0], [10.0], [4.0]], [[4.0], [10.0, 20.0, 90.0], [4.0]]
    assert ratio(theirs, ours) == 2
    assert ratio(ours, ours) == 1
    assert quantile(theirs, 0.5) == 10


def test_table_has_a_row_for_each_and_says_what_is_missing() -> None:
    measured = {
        "steps": 5000, "points": 320, "untrue": 1, "spikes": 2, "answer_bytes": 5700,
        "memory_bytes": 2_000_000, "rounds_ms": {"1": [[2.0]], "10": [[4.0]]},
    }  # fmt: skip
    rows: dict[str, Any] = {"sqd": measured, "Aim": {"missing": "no aim"}}
    header, _, first, second = comparison_table(rows, [1, 10]).splitlines()
    assert first == (
        "| sqd | 5,000 | 320 (1 untrue) | 2 of 10 | 5.7 | 2 | 2.0 | 2.0 | 1.00 | 4.0 | 4.0 | 1.00 |"
    )
    assert second.startswith("| Aim | no aim | ")
    assert {line.count("|") for line in (header, first, second)} == {13}


def test_answers_of_peers_are_read_as_they_come() -> None:
    board, flow = object.__new__(TensorBoard), object.__new__(MLflow)
    board.run = "long"
    told = [{"runToSeries": {"long": [{"wallTime": 0, "step": 3, "value": 0.5}]}}]
    assert board.read("S.G", json.dumps(told).encode()) == ([3], [0.5])
    assert board.read("S.G", b'[{"error": "not read yet"}]') == ([], [])
    # Step 0 is left out, large integers are strings.
    found = {"metrics": [{"value": 0.1}, {"step": "12", "value": 0.2}]}
    assert flow.read("S.G", json.dumps(found).encode()) == ([0, 12], [0.1, 0.2])


class Paired(http.server.BaseHTTPRequestHandler):
    """Answers `/pair` only when two ask at once."""

    protocol_version = "HTTP/1.1"
    pair = threading.Barrier(2, timeout=60)

    def do_GET(self) -> None:
        if self.path == "/pair":
            self.pair.wait()
        self.send_response(404 if self.path == "/absent" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server for pairs."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Paired)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_clients_ask_side_by_side(port: int) -> None:
    taken = ask_many(port, [Question("GET", "/pair")] * 8, clients=2, limit_s=60)
    assert len(taken) == 8
    assert min(taken) > 0
    assert ask_once(port, Question("GET", "/"))[1:] == (b"{}", 2)
    assert ask_many(port, [Question("GET", "/")] * 8, clients=1, limit_s=0) == []


def test_refusal_ends_the_benchmark(port: int) -> None:
    with pytest.raises(SystemExit, match="/absent is answered 404"):
        ask_many(port, [Question("GET", "/absent")] * 3, clients=2, limit_s=60)


def test_memory_is_that_of_a_process_and_its_children() -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    try:
        give_up_s = time.monotonic() + 30
        while len(family([child.pid])) < 2:
            assert time.monotonic() < give_up_s
            time.sleep(0.05)
        both = family([child.pid])
        assert child.pid in both
        assert os.getpid() not in both
        assert shared_bytes(both) > shared_bytes([child.pid]) > 1_000_000
    finally:
        child.communicate(b"\n")
    assert shared_bytes([child.pid]) == 0
