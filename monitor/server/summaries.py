"""A run's record to what REST says of it."""

from collections.abc import Sequence
from typing import Any

from monitor.server.control_schemas import LimitsInfo, PinnedInfo, StopInfo
from monitor.server.measured_schemas import DiversityInfo, QualityInfo, RemeasuredInfo
from monitor.server.schemas import (
    LagInfo,
    LastAlert,
    LatestPoint,
    Network,
    NoWorker,
    ProblemInfo,
    Rewind,
    RunDetail,
    RunSummary,
    SegmentInfo,
    WorkerInfo,
)
from monitor.server.verdict import judge, last_step, last_time
from monitor.store.alerts import unseen_alerts
from monitor.store.blocks import is_tensor_metric
from monitor.store.lag import Lag
from monitor.store.limits import NONE_OWN, OwnLimits
from monitor.store.runs import RunRecord
from monitor.store.segments import Segment


def summarize(record: RunRecord, now_s: float) -> RunSummary:
    """What the list of runs shows."""
    return RunSummary(**_summary(record, now_s))


def describe(
    record: RunRecord,
    lag: Lag,
    workers: Sequence[dict[str, Any]],
    now_s: float,
    own: OwnLimits = NONE_OWN,
) -> RunDetail:
    """Everything of one run beside its series."""
    return RunDetail(
        **_summary(record, now_s),
        config=record.config,
        networks={name: Network(**about) for name, about in record.networks.items()},
        metrics=[name for name in record.metrics if not is_tensor_metric(name)],
        tensor_metrics=[name for name in record.metrics if is_tensor_metric(name)],
        segments=[_segment(record, segment) for segment in record.segments],
        drops=record.drops,
        problems=[ProblemInfo(**problem) for problem in record.problems],
        lag=LagInfo.model_validate(lag, from_attributes=True),
        worker=_worker(workers),
        quality=QualityInfo(**record.scoring) if record.scoring else None,
        diversity=DiversityInfo(**record.provenance) if record.provenance else None,
        remeasured=_remeasured(record),
        stop=StopInfo(**record.stop.as_dict()) if record.stop else None,
        checkpoints=[PinnedInfo(**pinned.as_dict()) for pinned in record.pinned],
        limits=LimitsInfo(**own.as_dict()),
    )


def _summary(record: RunRecord, now_s: float) -> dict[str, Any]:
    newest = record.alerts[-1] if record.alerts else None
    return {
        "id": record.id,
        "status": record.status,
        "started": record.started,
        "finished": record.finished,
        "crash": record.crash or None,
        "last_step": last_step(record),
        "last_time": last_time(record),
        "tags": record.tags,
        "latest": {
            name: LatestPoint(**point)
            for name, point in sorted(record.latest.items())
            if not is_tensor_metric(name)
        },
        "verdict": judge(record, now_s),
        "open_alerts": len(unseen_alerts(record.alerts)),
        "last_alert": LastAlert(**newest) if newest else None,
    }


def _remeasured(record: RunRecord) -> list[RemeasuredInfo]:
    """By step; where newer rows hide the batch, its curve begins with them."""
    begun = [(s.ordinal, 0, s.first_step) for s in record.segments if s.first_step is not None]
    begun += [(place[0], row, place[1]) for *place, row in _rewinds(record, "samples")]
    shown = []
    for change in record.remeasured:
        place = (change.ordinal, change.row)
        if all(change.step < step for *newer, step in begun if tuple(newer) > place):
            shown.append(RemeasuredInfo.model_validate(change, from_attributes=True))
    return sorted(shown, key=lambda each: each.step)


def _rewinds(record: RunRecord, kind: str) -> list[list[Any]]:
    """Segment, step, time and row of each push at which steps went back."""
    found: list[list[Any]] = (record.watch or {}).get("rewinds", {}).get(kind, {}).get("found", [])
    return [[*place, -1][:4] for place in found]


def _segment(record: RunRecord, segment: Segment) -> SegmentInfo:
    # Samples are pushed in the same loop as weights: both would tell of the same rewind.
    kind = "weights" if segment.rows["weights"] else "samples"
    found = _rewinds(record, kind)
    return SegmentInfo(
        id=segment.id,
        host=segment.host,
        started=segment.started,
        first_step=segment.first_step,
        last_step=segment.last_step,
        rewinds=[
            Rewind(step=step, time=t) for number, step, t, _ in found if number == segment.ordinal
        ],
    )


def _worker(workers: Sequence[dict[str, Any]]) -> WorkerInfo | NoWorker:
    if not workers:
        return NoWorker()
    # The samples lane alone knows its device, evaluators and rate.
    samples = [worker for worker in workers if worker.get("lane") == "samples"]
    return WorkerInfo(**min(samples or workers, key=lambda worker: float(worker["age_s"])))
