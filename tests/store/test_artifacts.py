"""Image grids and mode histograms: by step, newest first to stay, never too many."""

import itertools
import json
from typing import Any

import pytest

from monitor.errors import UnknownRunError
from monitor.store.artifacts import grid_steps, read_grid, read_modes
from monitor.store.connection import Store
from monitor.store.finish import MOST_ARTIFACTS, Artifacts
from monitor.store.jobs import JobQueue
from tests.store.posting import Trainer, block_of, claimed, samples_frame
from trainer_hooks import keys

MODES = {"n": 3, "counts": [3, 0], "expected": 1.5}


def batch(
    queue: JobQueue, trainer: Trainer, image: Any, number: int, step: int, grid: bytes
) -> None:
    """A finished batch with its artifacts."""
    trainer.post(samples_frame(image, seq=number))
    job = claimed(queue, "samples")
    artifacts = Artifacts(grid, json.dumps({**MODES, "of": grid.decode()}).encode())
    assert queue.finish(job, block_of(job, [number], [step]), artifacts=artifacts)


def test_by_step_in_any_order(store: Store, queue: JobQueue, any_image: Any) -> None:
    trainer = Trainer(store)
    for number in (2, 0, 1):
        batch(queue, trainer, any_image, number, 100 * number, b"grid %d" % number)
    assert grid_steps(store, "demo") == [0, 100, 200]
    assert read_grid(store, "demo", 100) == b"grid 1"
    # One number says what is expected of every mode.
    assert read_modes(store, "demo", 100) == {
        "step": 100, "n": 3, "counts": [3, 0], "expected": [1.5, 1.5], "of": "grid 1",
    }  # fmt: skip


def test_newer_batch_at_the_same_step_and_newer_segment_win(
    store: Store, queue: JobQueue, any_image: Any
) -> None:
    trainer = Trainer(store)
    for number, step in enumerate((100, 200, 200, 300)):
        batch(queue, trainer, any_image, number, step, b"old %d" % number)
    assert read_grid(store, "demo", 200) == b"old 2"
    batch(queue, Trainer(store, resume=True), any_image, 0, 250, b"new")
    assert grid_steps(store, "demo") == [100, 200, 250]
    with pytest.raises(UnknownRunError, match="no image grid at step 300"):
        read_grid(store, "demo", 300)
    with pytest.raises(UnknownRunError, match="no mode histogram at step 1"):
        read_modes(store, "demo", 1)


def test_batch_after_a_way_back_hides_those_of_later_steps(
    store: Store, queue: JobQueue, any_image: Any
) -> None:
    trainer = Trainer(store)
    for number, step in enumerate((100, 200, 300, 400, 250, 260)):
        batch(queue, trainer, any_image, number, step, b"%d" % number)
    assert grid_steps(store, "demo") == [100, 200, 250, 260]
    assert read_grid(store, "demo", 250) == b"4"
    with pytest.raises(UnknownRunError, match="no image grid at step 300"):
        read_grid(store, "demo", 300)


def test_long_run_keeps_its_beginning_coarsely_and_its_end_in_full(
    store: Store, queue: JobQueue, any_image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_ARTIFACTS == 2000
    monkeypatch.setattr("monitor.store.finish.MOST_ARTIFACTS", 20)
    trainer = Trainer(store)
    for number in range(100):
        batch(queue, trainer, any_image, number, number, b"grid")
        kept = grid_steps(store, "demo")
        assert len(kept) <= 20
        assert kept[-1] == number
    assert kept[0] == 0
    assert kept[-8:] == list(range(92, 100))
    gaps = [later - earlier for earlier, later in itertools.pairwise(kept)]
    assert gaps == sorted(gaps, reverse=True)
    stored: Any = store.data.hkeys(keys.modes("demo"))
    assert sorted(int(field.split(b":")[1]) for field in stored) == kept
