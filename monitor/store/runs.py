"""Runs: which there are, how they are, and how one is removed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from monitor.errors import UnknownRunError
from monitor.store.connection import Store, reachable, text
from monitor.store.events import announce
from monitor.store.series import Segment, segment_from, segments_of
from trainer_hooks import keys

#: A trainer beats every 3 s; one silent for this long is lost, seconds.
LOST_AFTER_S = 20.0
#: Keys removed at once when a run is deleted.
DELETE_PAGE = 500


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything Redis holds of a run beside its series.

    Attributes:
        id, started, finished, tags, config: as the trainer said; times by the Redis clock.
        status: ``running``, ``finished`` or ``lost``.
        heartbeat_age_s: seconds since the trainer's last sign of life.
        networks: parameters, tensors and form of each network.
        latest: newest point of each metric.
        drops: what was lost, by reason, over all segments, worker's skips included.
        problems: what could not be computed, with count and reason.
        alerts: in the order of detection.
        pushed_rows, done_rows: newest push and how many rows are stored, per kind.
        pushed_steps, done_steps, done_times: likewise steps and times.
        provenance: embedder, reference, modes and ceiling of its newest D, or None.
        watch: state of the detector, or None.
    """

    id: str
    status: str
    started: float
    finished: float | None
    heartbeat_age_s: float
    tags: list[str]
    config: dict[str, Any]
    networks: dict[str, Any]
    segments: list[Segment]
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
    watch: dict[str, Any] | None


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
            for key in (keys.meta, keys.segments, keys.rows, keys.metrics, keys.problems,
                        keys.alerts, keys.watch):  # fmt: skip
                pipe.hgetall(key(run))
        answers = pipe.execute()
    hashes = [_plain(answer) for answer in answers]
    groups = [hashes[first : first + 7] for first in range(0, len(hashes), 7)]
    return [
        _record(run, group, now_s) for run, group in zip(names, groups, strict=True) if group[1]
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


def delete_run(store: Store, run: str) -> None:
    """Remove a run and all its keys; a trainer that still pushes is told and stops.

    Raises:
        UnknownRunError: there is no such run.
    """
    segments_of(store, run)
    with reachable(store.redis_url):
        # From here on every script refuses the run; what follows only tidies up.
        store.data.delete(keys.segments(run))
        store.data.zrem(keys.RUNS, run)
        for client, pattern in (
            (store.data, keys.run_pattern(run)),
            (store.blobs, keys.blob_pattern(run)),
        ):
            page: list[Any] = []
            for key in client.scan_iter(match=pattern, count=DELETE_PAGE):
                page.append(key)
                if len(page) >= DELETE_PAGE:
                    client.unlink(*page)
                    page = []
            if page:
                client.unlink(*page)
        store.blobs.unlink(keys.outstanding(run), keys.outstanding_bytes(run))
    announce_deleted(store, run)


def announce_deleted(store: Store, run: str) -> None:
    """Tell every list of runs; the run's own stream is gone with it."""
    announce(store, run, "status", {"run": run, "status": "deleted"}, shard_only=True)


def _plain(answer: Any) -> dict[str, str]:
    return {text(name): text(value) for name, value in answer.items()}


def _record(run: str, group: list[dict[str, str]], now_s: float) -> RunRecord:
    meta, segments, rows, metrics, problems, alerts, watch = group
    heartbeat_age_s = now_s - float(meta.get("heartbeat", 0))
    pushed, done = _by_kind(meta), _by_segment(rows, meta.get("segment", ""))
    return RunRecord(
        id=run,
        status=_status(meta, heartbeat_age_s),
        started=float(meta.get("started", 0)),
        finished=float(meta["finished"]) if "finished" in meta else None,
        heartbeat_age_s=heartbeat_age_s,
        tags=json.loads(meta.get("tags", "[]")),
        config=json.loads(meta.get("config", "{}")),
        networks=json.loads(meta.get("networks", "{}")),
        segments=_segments(segments, rows),
        latest={name: json.loads(value.split("|", 1)[1]) for name, value in metrics.items()},
        drops=_drops(meta, rows),
        problems=[json.loads(value) for value in problems.values()],
        alerts=sorted((json.loads(value) for value in alerts.values()), key=_when),
        pushed_rows=pushed["pushed"],
        pushed_steps=pushed["pushed_step"],
        done_rows={kind: int(float(value)) for kind, value in done["rows"].items()},
        done_steps={kind: int(float(value)) for kind, value in done["step"].items()},
        done_times=done["time"],
        provenance=json.loads(rows["provenance"]) if "provenance" in rows else None,
        watch=json.loads(watch["state"]) if "state" in watch else None,
    )


def _status(meta: dict[str, str], heartbeat_age_s: float) -> str:
    if "finished" in meta:
        return "finished"
    return "lost" if heartbeat_age_s > LOST_AFTER_S else "running"


def _when(alert: dict[str, Any]) -> tuple[float, str]:
    return float(alert.get("time") or 0), str(alert.get("id"))


def _segments(segments: dict[str, str], rows: dict[str, str]) -> list[Segment]:
    found = [segment_from(name, json.loads(about), rows) for name, about in segments.items()]
    return sorted(found, key=lambda segment: segment.ordinal)


def _drops(meta: dict[str, str], rows: dict[str, str]) -> dict[str, int]:
    total: dict[str, int] = {}
    for name, value in meta.items():
        if name.startswith("drops:"):
            for reason, count in json.loads(value).items():
                total[reason] = total.get(reason, 0) + int(count)
    for name, value in rows.items():
        if name.startswith("worker_"):
            total[name] = int(value)
    return total


def _by_kind(meta: dict[str, str]) -> dict[str, dict[str, int]]:
    return {
        what: {
            kind: int(meta[f"{what}:{kind}"])
            for kind in ("weights", "samples")
            if f"{what}:{kind}" in meta
        }
        for what in ("pushed", "pushed_step")
    }


def _by_segment(rows: dict[str, str], segment: str) -> dict[str, dict[str, float]]:
    fields = {"rows": "{kind}", "step": "step:{kind}", "time": "time:{kind}"}
    return {
        what: {
            kind: float(rows[f"{segment}:{pattern.format(kind=kind)}"])
            for kind in ("weights", "samples")
            if f"{segment}:{pattern.format(kind=kind)}" in rows
        }
        for what, pattern in fields.items()
    }
