"""Runs: which there are, and how they are."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.errors import UnknownRunError
from monitor.store.alerts import parse_alerts
from monitor.store.blocks import KINDS
from monitor.store.checkpoints import Pinned, parse_pinned
from monitor.store.connection import Store, reachable, text
from monitor.store.control import Stop, parse_stop
from monitor.store.deletion import delete_run
from monitor.store.measures import CHANGES, Remeasured, parse_changes
from monitor.store.segments import Segment, parse_segments, plain
from monitor.store.series import visible_latest
from trainer_hooks import keys
from trainer_hooks.errors import MOST_CHARACTERS

#: A trainer beats every 3 s; one silent for this long is lost, seconds.
LOST_AFTER_S = 20.0
#: The hashes that make a record, in the order in which `record_of` takes them.
HASHES = (
    keys.meta,
    keys.segments,
    keys.rows,
    keys.metrics,
    keys.problems,
    keys.alerts,
    keys.alert_marks,
    keys.watch,
    keys.control,
)

__all__ = ["RunRecord", "delete_run", "read_run", "read_runs", "record_of", "run_ids", "status_of"]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything Redis holds of a run beside its series.

    Attributes:
        id, started, finished, tags, config: as the trainer said; times by the Redis clock.
        status: ``running``, ``finished`` or ``lost``.
        crash: the error that ended the trainer, in one line; "" if it told of none.
        heartbeat_age_s: seconds since the trainer's last sign of life.
        networks: parameters, tensors and form of each network.
        metrics: names of all that have a point.
        latest: newest point of each metric; none where a resume has hidden it.
        drops: what was lost, by reason, over all segments, worker's skips included.
        problems: what could not be computed, with count and reason.
        alerts: with their marks, in the order of detection.
        pushed_rows, done_rows: newest push and how many rows are stored, per kind.
        pushed_steps, done_steps, done_times: likewise steps and times.
        provenance: embedder, reference, modes and ceiling of its newest D, or None.
        scoring: evaluator, hash and settings of its newest Q, or None.
        remeasured: where Q or D was measured with something else from then on, as it was stored.
        watch: state of the detector, or None.
        stop: what its trainer is asked for, or None.
        pinned: checkpoints from before turning points, in the order of the alerts.
    """

    id: str
    status: str
    started: float
    finished: float | None
    crash: str
    heartbeat_age_s: float
    tags: list[str]
    config: dict[str, Any]
    networks: dict[str, Any]
    segments: list[Segment]
    metrics: list[str]
    latest: dict[str, dict[str, Any]]
    drops: dict[str, int]
    problems: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    pushed_rows: dict[str, int]
    pushed_steps: dict[str, int]
    done_rows: dict[str, int]
    done_steps: dict[str, int]
    done_times: dict[str, float]
    provenance: dict[str, Any] | None
    scoring: dict[str, Any] | None
    remeasured: list[Remeasured]
    watch: dict[str, Any] | None
    stop: Stop | None
    pinned: list[Pinned]


def run_ids(store: Store) -> list[str]:
    """All runs, newest first."""
    with reachable(store.redis_url):
        names: Any = store.data.zrevrange(keys.RUNS, 0, -1)
    return [text(name) for name in names]


def read_runs(store: Store, runs: Iterable[str]) -> list[RunRecord]:
    """Records of `runs`, in one round trip; those that are gone are left out."""
    names = list(runs)
    now_s = store.now_s()
    with reachable(store.redis_url):
        pipe = store.data.pipeline(transaction=False)
        for run in names:
            for key in HASHES:
                pipe.hgetall(key(run))
        answers = pipe.execute()
    hashes = [plain(answer) for answer in answers]
    size = len(HASHES)
    groups = [hashes[first : first + size] for first in range(0, len(hashes), size)]
    return [
        record_of(run, group, now_s) for run, group in zip(names, groups, strict=True) if group[1]
    ]


def read_run(store: Store, run: str) -> RunRecord:
    """The record of one run.

    Raises:
        UnknownRunError: there is no such run.
    """
    records = read_runs(store, [run])
    if not records:
        raise UnknownRunError(f"no run is called {run!r}")
    return records[0]


def status_of(meta: Mapping[str, str], now_s: float) -> str:
    """``running``, ``finished`` or ``lost``, from what the trainer said of itself."""
    if "finished" in meta:
        return "finished"
    if crash_of(meta):
        return "lost"
    return "lost" if now_s - float(meta.get("heartbeat", 0)) > LOST_AFTER_S else "running"


def crash_of(meta: Mapping[str, str]) -> str:
    """The error that ended the trainer, in one line; "" if it told of none."""
    return meta.get("crash", "")[:MOST_CHARACTERS]


def record_of(run: str, group: Sequence[Mapping[str, str]], now_s: float) -> RunRecord:
    """A run's record from its hashes, in the order of HASHES."""
    meta, segments, rows, metrics, problems, alerts, marks, watch, control = group
    heartbeat_age_s = now_s - float(meta.get("heartbeat", 0))
    newest = meta.get("segment", "")
    pushed, done = _by_kind(meta), _by_segment(rows, newest)
    status = status_of(meta, now_s)
    processes = parse_segments(segments, rows)
    raised = parse_alerts(alerts, marks)
    return RunRecord(
        id=run,
        status=status,
        started=float(meta.get("started", 0)),
        finished=float(meta["finished"]) if "finished" in meta else None,
        crash=crash_of(meta),
        heartbeat_age_s=heartbeat_age_s,
        tags=json.loads(meta.get("tags", "[]")),
        config=json.loads(meta.get("config", "{}")),
        networks=_networks(meta),
        segments=processes,
        metrics=sorted(metrics),
        latest=visible_latest(metrics, processes),
        drops=_drops(meta, rows),
        problems=[json.loads(value) for value in problems.values()],
        alerts=raised,
        pushed_rows=pushed["pushed"],
        pushed_steps=pushed["pushed_step"],
        done_rows={kind: int(float(value)) for kind, value in done["rows"].items()},
        done_steps={kind: int(float(value)) for kind, value in done["step"].items()},
        done_times=done["time"],
        provenance=json.loads(rows["provenance"]) if "provenance" in rows else None,
        scoring=json.loads(rows["scoring"]) if "scoring" in rows else None,
        remeasured=parse_changes(rows.get(CHANGES)),
        watch=json.loads(watch["state"]) if "state" in watch else None,
        stop=parse_stop(control, newest),
        pinned=parse_pinned(meta, processes, raised, ended=status != "running"),
    )


def _networks(meta: Mapping[str, str]) -> dict[str, Any]:
    """As rank 0 told; where they are spread over ranks, what members told is added."""
    found: dict[str, Any] = json.loads(meta.get("networks", "{}"))
    first = f"networks:{meta.get('segment', '')}."
    for name, told in meta.items():
        for network, part in json.loads(told).items() if name.startswith(first) else ():
            if network in found:
                for count in ("parameters", "tensors"):
                    found[network][count] += part[count]
    return found


def _drops(meta: Mapping[str, str], rows: Mapping[str, str]) -> dict[str, int]:
    total: dict[str, int] = {}
    for name, value in meta.items():
        if name.startswith("drops:"):
            for reason, count in json.loads(value).items():
                total[reason] = total.get(reason, 0) + int(count)
    for name, value in rows.items():
        if name.startswith("worker_"):
            total[name] = int(value)
    return total


def _by_kind(meta: Mapping[str, str]) -> dict[str, dict[str, int]]:
    return {
        what: {kind: int(meta[f"{what}:{kind}"]) for kind in KINDS if f"{what}:{kind}" in meta}
        for what in ("pushed", "pushed_step")
    }


def _by_segment(rows: Mapping[str, str], segment: str) -> dict[str, dict[str, float]]:
    fields = {"rows": "{kind}", "step": "step:{kind}", "time": "time:{kind}"}
    return {
        what: {
            kind: float(rows[f"{segment}:{pattern.format(kind=kind)}"])
            for kind in KINDS
            if f"{segment}:{pattern.format(kind=kind)}" in rows
        }
        for what, pattern in fields.items()
    }
