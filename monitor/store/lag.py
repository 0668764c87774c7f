"""Lag: how far evaluation is behind the trainer, and what waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.store.connection import Store, reachable
from monitor.store.runs import RunRecord
from trainer_hooks import keys


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the worker is behind one run.

    Attributes:
        weights_steps, samples_steps: from the newest result to the newest push.
        weights_s, samples_s: age of the newest result while something waits, else 0, seconds.
        queued_jobs: jobs not yet finished, of all runs.
        outstanding_bytes: of this run's frames that were not yet processed.
        dead_letters: jobs given up, of all runs.
    """

    weights_steps: int
    weights_s: float
    samples_steps: int
    samples_s: float
    queued_jobs: int
    outstanding_bytes: int
    dead_letters: int


def read_lag(store: Store, record: RunRecord, now_s: float) -> Lag:
    """The lag of one run at `now_s`, Unix seconds by the Redis clock."""
    weights_steps, weights_s = behind(record, "weights", now_s)
    samples_steps, samples_s = behind(record, "samples", now_s)
    return Lag(
        weights_steps,
        weights_s,
        samples_steps,
        samples_s,
        sum(queued_jobs(store).values()),
        outstanding_bytes(store, [record.id])[0],
        dead_letters(store),
    )


def behind(record: RunRecord, kind: str, now_s: float) -> tuple[int, float]:
    """Steps and seconds from the newest result of one push kind to its newest push."""
    pushed = record.pushed_rows.get(kind)
    if pushed is None or record.done_rows.get(kind, 0) > pushed:
        return 0, 0.0
    done_step = record.done_steps.get(kind, _last_step(record))
    done_time = record.done_times.get(kind, record.segments[-1].started)
    return max(0, record.pushed_steps[kind] - done_step), max(0.0, now_s - done_time)


def queued_jobs(store: Store) -> dict[keys.Lane, int]:
    """Jobs of each lane that are not yet finished; those being worked on included."""
    with reachable(store.redis_url):
        return {
            lane: sum(int(store.data.xlen(keys.jobs(shard, lane))) for shard in range(keys.SHARDS))
            for lane in keys.LANES
        }


def dead_letters(store: Store) -> int:
    """Jobs that were given up."""
    with reachable(store.redis_url):
        return sum(int(store.data.xlen(keys.dead_letters(s))) for s in range(keys.SHARDS))


def outstanding_bytes(store: Store, runs: Sequence[str]) -> list[int]:
    """Bytes of each run's frames that were not yet processed."""
    if not runs:
        return []
    with reachable(store.redis_url):
        counted: Any = store.blobs.mget([keys.outstanding_bytes(run) for run in runs])
    return [int(value or 0) for value in counted]


def _last_step(record: RunRecord) -> int:
    """Where the run stood when its newest trainer process began."""
    steps = [s.last_step for s in record.segments[:-1] if s.last_step is not None]
    return steps[-1] if steps else 0
