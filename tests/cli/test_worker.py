"""A worker leaves the training its cores, and ends when what it evaluates with hangs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from monitor.cli.worker import FAST_NICENESS, NICENESS, _samples_worker, _threads
from monitor.config import load_settings
from monitor.store.connection import Store
from monitor.store.runs import read_run
from monitor.store.workers import alive_workers
from tests.store.posting import Trainer, samples_frame
from tests.worker.laboratory import evaluators
from trainer_hooks import keys

#: Prints the threads that BLAS may use, once the lane has chosen.
SCRIPT = """
import numpy
from threadpoolctl import threadpool_info
from monitor.cli.worker import _limit_blas

_limit_blas(1)
print(*{pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
"""


def test_blas_has_one_thread_in_the_fast_lane() -> None:
    many = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=many
    )
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize(
    ("of_torch", "of_process", "expected"), [(8, 4, 2), (128, 128, 64), (1, 64, 1), (16, 1, 1)]
)
def test_half_of_the_cores_that_it_may_use(
    monkeypatch: pytest.MonkeyPatch, of_torch: int, of_process: int, expected: int
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: of_process)
    assert _threads(of_torch) == expected


#: An evaluator that tells its process's niceness and never answers.
HANGING = """
import os, pathlib, threading

def score(samples):
    pathlib.Path("niceness").write_text(str(os.nice(0)))
    threading.Event().wait()
"""
#: The highest there is.
MOST_NICE = 19
#: Longest life of the worker, seconds; most of it is the import of torch on a busy machine.
LIFE_S = 90


def test_callable_that_hangs_costs_its_batch_and_the_process(store: Store, tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(HANGING)
    trainer = Trainer(store)
    trainer.post(samples_frame(np.zeros((4, 3, 8, 8), np.uint8), last=True))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "monitor.cli", "worker", "--lane", "samples"),
            *("--device", "cpu", "--quality", "python:hanging:score"),
            *("--evaluator-timeout-s", "0.5"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=LIFE_S,
        env={**os.environ, "SQD_REDIS_URL": store.redis_url, "SQD_HOME": str(tmp_path)},
    )
    assert done.returncode == 1, done.stderr
    reason = "python:hanging:score gave no answer in 0.5 s (--evaluator-timeout-s)"
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    niceness = int((tmp_path / "niceness").read_text())
    assert niceness == min(MOST_NICE, os.nice(0) + NICENESS)
    record = read_run(store, "demo")
    assert record.latest["Q"]["status"] == "failed"
    assert {each["reason"] for each in record.problems if each["metric"] == "Q"} == {reason}
    # Nobody tries it again.
    assert store.data.xlen(keys.jobs(0, "samples")) == 0
    assert store.data.xlen(keys.dead_letters(0)) == 1


def test_lane_of_stability_yields_a_little(store: Store, tmp_path: Path) -> None:
    environment = {**os.environ, "SQD_REDIS_URL": store.redis_url, "SQD_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "monitor.cli", "worker", "--lane", "fast"]
    with subprocess.Popen(command, env=environment) as worker:
        try:
            give_up_s = time.monotonic() + LIFE_S
            while not alive_workers(store):
                assert time.monotonic() < give_up_s, "no worker came"
                time.sleep(0.1)
            niceness = os.getpriority(os.PRIO_PROCESS, worker.pid)
        finally:
            worker.terminate()
    assert niceness == max(FAST_NICENESS, os.nice(0))


@pytest.mark.parametrize(
    ("device", "fallen", "asked"),
    [("cpu", [], [NICENESS]), ("cuda:0", [], []), ("cuda:0", ["faces100"], [NICENESS])],
)
def test_lane_of_samples_yields_where_it_takes_the_cpu(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    fallen: list[str],
    asked: list[int],
) -> None:
    found: list[int] = []
    monkeypatch.setattr(os, "nice", found.append)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr("monitor.cli.worker._limit_blas", lambda _: None)
    where = "monitor.worker.evaluators"
    monkeypatch.setattr(f"{where}.choose_device", lambda _: device)
    monkeypatch.setattr(f"{where}.load_evaluators", lambda _: evaluators())
    monkeypatch.setattr(f"{where}.fallen_back", lambda _: fallen)
    _samples_worker(load_settings(), store)
    assert found == asked
