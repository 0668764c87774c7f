"""A run of millions of steps, written straight into the store's columns."""

import json
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from monitor.store import columns
from monitor.store.columns import ROWS_PER_CHUNK, Write
from monitor.store.connection import Store
from monitor.store.edits import ALL_CHUNKS, name_of
from trainer_hooks import keys
from trainer_hooks.link import Link
from trainer_hooks.settings import read_settings

#: Commands of one round trip.
PIPELINE = 500
#: Metrics of the run: the networks' angles, and what a trainer sends.
METRICS = (
    *("S.G", "S.D", "loss.G", "loss.D", "grad.G", "grad.D", "penalty.D", "lr", "beta"),
    "gpu.memory",
)

Floats = NDArray[np.float64]


def write_run(store: Store, run: str, steps: int, seed: int = 0) -> dict[str, int]:
    """Make the run; where each metric has its spike of one step.

    Args:
        store: both Redis servers.
        run: a name that is free.
        steps: rows of its weights pushes.
        seed: of the noise.
    """
    link = Link(read_settings(run=run, redis_url=store.redis_url), segment="0123456789ab")
    link.connect(0)
    rng = np.random.default_rng(seed)
    step = np.arange(steps)
    start_s = time.time() - steps
    index = {columns.STEP: step, columns.EPOCH: step / 1000, columns.TIME: start_s + step}
    spikes = {}
    latest = {}
    place = (link.run, link.segment, "weights")
    writes: list[Write] = []
    for name, values in index.items():
        writes += columns.writes(place, name, step, columns.encode_words(values))
    for metric in METRICS:
        values, spikes[metric] = _values(rng, steps)
        column = columns.metric_column(metric, columns.VALUE)
        writes += columns.writes(place, column, step, columns.encode_words(values))
        point = {
            "kind": "weights", "step": steps - 1, "epoch": (steps - 1) / 1000,
            "time": start_s + steps - 1, "value": values[-1], "stderr": None, "n": 1,
            "status": "ok",
        }  # fmt: skip
        latest[metric] = f"{steps - 1}|{json.dumps(point)}"
    for batch in _batches(writes):
        pipe = store.data.pipeline(transaction=False)
        for write in batch:
            pipe.setrange(write.key, write.offset, write.data)
        pipe.execute()
    chunks = range(-(-steps // ROWS_PER_CHUNK))
    edits = {name_of(link.segment, "weights", chunk): 1 for chunk in chunks}
    segment = link.segment
    rows = {"weights": steps, "first_step": 0, "last_step": steps - 1,
            "last_time": start_s + steps - 1}  # fmt: skip
    store.data.hset(keys.edits(run), mapping={**edits, ALL_CHUNKS: 1})
    store.data.hset(keys.metrics(run), mapping=latest)
    store.data.hset(
        keys.rows(run), mapping={f"{segment}:{name}": value for name, value in rows.items()}
    )
    link.close()
    return spikes


def _values(rng: np.random.Generator, steps: int) -> tuple[Floats, int]:
    """Noise that settles, with one step that is far out."""
    values = 0.003 * (1 + 4 * np.exp(-np.arange(steps) / (steps / 20)))
    values *= np.exp(0.1 * rng.standard_normal(steps))
    spike = int(rng.integers(steps // 10, steps))
    values[spike] *= 50
    return values, spike


def _batches(writes: list[Write]) -> Iterator[list[Write]]:
    for start in range(0, len(writes), PIPELINE):
        yield writes[start : start + PIPELINE]
