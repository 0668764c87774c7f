"""Point clouds and images on the whole road: frame, worker, series."""

import json
from pathlib import Path

import numpy as np
import pytest

from monitor.config import load_settings
from monitor.store.artifacts import grid_steps, read_modes
from monitor.store.connection import Store
from monitor.store.runs import read_run
from monitor.store.series import read_series
from monitor.worker.evaluators import load_evaluators
from monitor.worker.loop import Worker
from monitor.worker.samples import SamplesLane
from tests.store.posting import Trainer, samples_frame

#: A mixture of eight Gaussians on a ring, as GAN papers draw it.
STD = 0.02
ANGLES = np.arange(8) * np.pi / 4
RING = 2 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


#: Series of the companions.
COMPANIONS = ("D.kid", "D.frechet", "D.vendi", "D.precision", "D.recall", "D.prdc_coverage")


@pytest.fixture
def worker(store: Store, tmp_path: Path) -> Worker:
    """A worker that evaluates points of the ring."""
    path = tmp_path / "ring.json"
    path.write_text(json.dumps({"modes": RING.tolist(), "std": STD}))
    asked = load_settings(device="cpu", quality=f"points:{path}", embedder=f"points:{path}")
    made = Worker(store, SamplesLane(load_evaluators(asked)))
    made.ready()
    return made


def test_points_in_chunks_become_quality_and_modes(store: Store, worker: Worker) -> None:
    trainer = Trainer(store)
    rng = np.random.default_rng(6)
    batch = RING[rng.integers(0, 3, 600)] + STD * rng.normal(size=(600, 2))
    chunks = np.split(batch.astype(np.float32), 3)
    for part, chunk in enumerate(chunks):
        trainer.post(samples_frame(chunk, part=part, last=part == 2))
    while worker.step(wait_ms=1):
        pass
    series = read_series(store, "demo", ["Q", "D", "D.modes"], None, None)
    # Within three deviations of a 2-D Gaussian's centre: 1 − exp(−9/2).
    assert series["Q"].value.item() == pytest.approx(1 - np.exp(-4.5), abs=0.015)
    assert series["D"].value.item() == pytest.approx(np.log(3), abs=0.05)
    assert series["D.modes"].value.item() == 3
    modes = read_modes(store, "demo", 0)
    assert sum(modes["counts"][:3]) == modes["n"] == 600
    assert modes["reference"] == "points:ring.json"
    assert grid_steps(store, "demo") == []


def test_a_run_chooses_companions_by_name(store: Store, worker: Worker) -> None:
    trainer = Trainer(store, metrics=["D", "prdc", "kid", "frechet", "D.vendi", "fid", "loss.G"])
    rng = np.random.default_rng(7)
    batch = RING[rng.integers(0, 8, 1200)] + STD * rng.normal(size=(1200, 2))
    for part, chunk in enumerate(np.split(batch.astype(np.float32), 3)):
        trainer.post(samples_frame(chunk, part=part, last=part == 2))
    while worker.step(wait_ms=1):
        pass
    latest = read_run(store, "demo").latest
    assert set(latest) >= {"D", "D.modes", "D.density", *COMPANIONS}
    assert "Q" not in latest
    assert {latest[name]["status"] for name in COMPANIONS} == {"ok"}
    assert {latest[name]["n"] for name in COMPANIONS} == {1200}
    # A perfect generator, up to the draw; a ring has as much of every direction.
    assert latest["D.prdc_coverage"]["value"] > 0.85
    assert abs(latest["D.kid"]["value"]) < 5 * latest["D.kid"]["stderr"]
    assert latest["D.frechet"]["value"] < 0.02
    assert latest["D.vendi"]["value"] == pytest.approx(2, abs=0.02)
    assert latest["D.fid"]["status"] == "failed"
    problem = next(p for p in read_run(store, "demo").problems if p["metric"] == "D.fid")
    assert problem["reason"] == (
        "no worker offers 'fid'; there are Q, D, prdc, kid, frechet, vendi, is"
    )


def test_a_lost_batch_fails_what_was_chosen(store: Store, worker: Worker) -> None:
    trainer = Trainer(store, metrics=["kid"])
    trainer.post(samples_frame(np.zeros((4, 2), np.float32)))
    store.blobs.flushall()
    while worker.step(wait_ms=1):
        pass
    latest = read_run(store, "demo").latest
    assert {name: point["status"] for name, point in latest.items()} == {"D.kid": "failed"}
