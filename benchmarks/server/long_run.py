"""A run of millions of steps, written straight into the store's columns."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.server.points import METRICS, Floats, Points
from monitor.store import columns
from monitor.store.columns import ROWS_PER_CHUNK, Write
from monitor.store.connection import Store
from monitor.store.edits import ALL_CHUNKS, name_of
from trainer_hooks import keys
from trainer_hooks.link import Link
from trainer_hooks.settings import read_settings

#: Commands of one round trip.
PIPELINE = 500


class LongRun:
    """A run that no trainer pushes: its rows go straight into the store's columns.

    Args:
        store: both Redis servers.
        name: that is free.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self.name = store, name
        link = Link(read_settings(run=name, redis_url=store.redis_url), segment="0123456789ab")
        link.connect(0)
        self._segment = link.segment
        link.close()

    def append(
        self,
        step: NDArray[np.int64],
        time_s: NDArray[np.floating[Any]],
        values: Mapping[str, Floats],
    ) -> None:
        """Add rows of weights pushes, of which row i is that of step i.

        Args:
            step: (N,) ascending, going on where the last rows ended.
            time_s: (N,) of the pushes, Unix seconds.
            values: (N,) of each metric.
        """
        place = (self.name, self._segment, "weights")
        index = {columns.STEP: step, columns.EPOCH: step / 1000, columns.TIME: time_s}
        index |= {columns.metric_column(name, columns.VALUE): each for name, each in values.items()}
        writes: list[Write] = []
        for name, each in index.items():
            writes += columns.writes(place, name, step, columns.encode_words(each))
        for batch in _batches(writes):
            pipe = self._store.data.pipeline(transaction=False)
            for write in batch:
                pipe.setrange(write.key, write.offset, write.data)
            pipe.execute()
        self._tell(step, time_s, values)

    def _tell(
        self,
        step: NDArray[np.int64],
        time_s: NDArray[np.floating[Any]],
        values: Mapping[str, Floats],
    ) -> None:
        """What else the store knows of a run: its newest points, its rows, what was written."""
        last, last_s = int(step[-1]), float(time_s[-1])
        point = {"kind": "weights", "step": last, "epoch": last / 1000, "time": last_s,
                 "stderr": None, "n": 1, "status": "ok"}  # fmt: skip
        latest: dict[Any, Any] = {
            metric: f"{last}|{json.dumps({**point, 'value': float(each[-1])})}"
            for metric, each in values.items()
        }
        rows = {"weights": last + 1, "first_step": 0, "last_step": last, "last_time": last_s}
        pipe = self._store.data.pipeline(transaction=True)
        for chunk in range(int(step[0]) // ROWS_PER_CHUNK, last // ROWS_PER_CHUNK + 1):
            pipe.hincrby(keys.edits(self.name), name_of(self._segment, "weights", chunk), 1)
        pipe.hincrby(keys.edits(self.name), ALL_CHUNKS, 1)
        pipe.hset(keys.metrics(self.name), mapping=latest)
        pipe.hset(
            keys.rows(self.name),
            mapping={f"{self._segment}:{name}": value for name, value in rows.items()},
        )
        pipe.execute()


def write_run(store: Store, run: str, points: Points) -> None:
    """Make the run.

    Args:
        store: both Redis servers.
        run: a name that is free.
        points: of its weights pushes, one a row.
    """
    step = np.arange(points.steps)
    values = dict(zip(METRICS, points.values, strict=True))
    LongRun(store, run).append(step, points.start_s + step, values)


def _batches(writes: list[Write]) -> Iterator[list[Write]]:
    for start in range(0, len(writes), PIPELINE):
        yield writes[start : start + PIPELINE]
