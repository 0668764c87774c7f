"""A run of millions of steps, written straight into the store's columns."""

import json
from collections.abc import Iterator

import numpy as np

from benchmarks.server.points import METRICS, Points
from monitor.store import columns
from monitor.store.columns import ROWS_PER_CHUNK, Write
from monitor.store.connection import Store
from monitor.store.edits import ALL_CHUNKS, name_of
from trainer_hooks import keys
from trainer_hooks.link import Link
from trainer_hooks.settings import read_settings

#: Commands of one round trip.
PIPELINE = 500


def write_run(store: Store, run: str, points: Points) -> None:
    """Make the run.

    Args:
        store: both Redis servers.
        run: a name that is free.
        points: of its weights pushes, one a row.
    """
    link = Link(read_settings(run=run, redis_url=store.redis_url), segment="0123456789ab")
    link.connect(0)
    step = np.arange(points.steps)
    last, start_s = points.steps - 1, points.start_s
    index = {columns.STEP: step, columns.EPOCH: step / 1000, columns.TIME: start_s + step}
    latest = {}
    place = (link.run, link.segment, "weights")
    writes: list[Write] = []
    for name, values in index.items():
        writes += columns.writes(place, name, step, columns.encode_words(values))
    for metric, values in zip(METRICS, points.values, strict=True):
        column = columns.metric_column(metric, columns.VALUE)
        writes += columns.writes(place, column, step, columns.encode_words(values))
        point = {
            "kind": "weights", "step": last, "epoch": last / 1000, "time": start_s + last,
            "value": values[-1], "stderr": None, "n": 1, "status": "ok",
        }  # fmt: skip
        latest[metric] = f"{last}|{json.dumps(point)}"
    for batch in _batches(writes):
        pipe = store.data.pipeline(transaction=False)
        for write in batch:
            pipe.setrange(write.key, write.offset, write.data)
        pipe.execute()
    chunks = range(-(-points.steps // ROWS_PER_CHUNK))
    edits = {name_of(link.segment, "weights", chunk): 1 for chunk in chunks}
    rows = {"weights": points.steps, "first_step": 0, "last_step": last,
            "last_time": start_s + last}  # fmt: skip
    store.data.hset(keys.edits(run), mapping={**edits, ALL_CHUNKS: 1})
    store.data.hset(keys.metrics(run), mapping=latest)
    store.data.hset(
        keys.rows(run), mapping={f"{link.segment}:{name}": value for name, value in rows.items()}
    )
    link.close()


def _batches(writes: list[Write]) -> Iterator[list[Write]]:
    for start in range(0, len(writes), PIPELINE):
        yield writes[start : start + PIPELINE]
