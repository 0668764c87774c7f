"""Pulses: the little that must be known of every run every few seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.store.blocks import KINDS, Kind
from monitor.store.connection import Store, reachable
from monitor.store.runs import crash_of, run_ids, status_of
from monitor.store.segments import plain
from trainer_hooks import keys


@dataclass(frozen=True, slots=True)
class Pulse:
    """Signs of life of one run.

    Attributes:
        run: its id.
        status: ``running``, ``finished`` or ``lost``.
        heartbeat_s: the trainer's last sign of life, Unix seconds by the Redis clock.
        crash: the error that ended the trainer, in one line; "" if it told of none.
        crashed_s: when it told of it, Unix seconds by the Redis clock; 0 if it did not.
        last_step: of its newest push; None before the first.
        rows: stored over all segments and kinds.
        segment: its newest trainer process.
        pushed, done: rows of that process, by kind: pushed, and stored.
    """

    run: str
    status: str
    heartbeat_s: float
    crash: str
    crashed_s: float
    last_step: int | None
    rows: int
    segment: str = ""
    pushed: Mapping[Kind, int] = field(default_factory=dict)
    done: Mapping[Kind, int] = field(default_factory=dict)


def read_pulses(store: Store) -> list[Pulse]:
    """Pulses of all runs, in one round trip."""
    names = run_ids(store)
    now_s = store.now_s()
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        for run in names:
            pipe.exists(keys.segments(run))
            pipe.hgetall(keys.meta(run))
            pipe.hgetall(keys.rows(run))
        answers = pipe.execute()
    groups = zip(names, answers[::3], answers[1::3], answers[2::3], strict=True)
    return [
        _pulse(run, plain(meta), plain(rows), now_s) for run, known, meta, rows in groups if known
    ]


def _pulse(run: str, meta: Mapping[str, str], rows: Mapping[str, str], now_s: float) -> Pulse:
    steps = [int(meta[name]) for kind in KINDS if (name := f"pushed_step:{kind}") in meta]
    counts = [int(count) for name, count in rows.items() if name.partition(":")[2] in KINDS]
    segment = meta.get("segment", "")
    return Pulse(
        run=run,
        status=status_of(meta, now_s),
        heartbeat_s=float(meta.get("heartbeat", 0)),
        crash=crash_of(meta),
        crashed_s=float(meta.get("crashed", 0)),
        last_step=max(steps, default=None),
        rows=sum(counts),
        segment=segment,
        # `pushed` is the number of the newest row, counted from 0.
        pushed={k: int(meta[f"pushed:{k}"]) + 1 for k in KINDS if f"pushed:{k}" in meta},
        done={k: int(float(rows.get(f"{segment}:{k}", 0))) for k in KINDS},
    )
