"""A block to what the script FINISH takes: writes, latest points, problems, events."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from monitor.store import columns
from monitor.store.blocks import Block, is_tensor_metric
from monitor.store.claims import MOST_DEAD_LETTERS
from monitor.store.counters import counted_points
from monitor.store.edits import ALL_CHUNKS, edited
from monitor.store.events import MOST_EVENTS, light_points, points_event
from monitor.store.limits import MOST_GRIDS
from monitor.store.measures import MADE_WITH
from monitor.store.segments import ORDER_STRIDE
from trainer_hooks import keys

#: Image grids and mode histograms kept of a run, 60 MB of them, where no watch thins them sooner
#: (monitor/watch/pictures.py); beyond, every second of the older half goes.
MOST_ARTIFACTS = MOST_GRIDS
#: Stands for the sample batch of results that belong to none.
NO_BATCH = -1
#: What the latest point of a metric tells.
POINT_FIELDS = ("step", "epoch", "time", "value", "stderr", "n", "status")


@dataclass(frozen=True, slots=True)
class Artifacts:
    """What a finished sample batch leaves beside its points.

    Attributes:
        grid: encoded image grid.
        modes: JSON of the mode histogram.
        provenance: embedder and reference that made D, or None.
        scoring: evaluator that made Q, or None.
    """

    grid: bytes = b""
    modes: bytes = b""
    provenance: dict[str, Any] | None = None
    scoring: dict[str, Any] | None = None


NO_ARTIFACTS = Artifacts()


def writes_of(block: Block) -> Iterator[columns.Write]:
    """What must be written for a block: its index columns and those of its metrics."""
    rows = block.rows
    place = (block.run, block.segment, block.kind)
    index = {columns.STEP: rows.step, columns.EPOCH: rows.epoch, columns.TIME: rows.time}
    for name, values in index.items():
        yield from columns.writes(place, name, rows.seq, columns.encode_words(values))
    for metric, cells in block.cells.items():
        yield from columns.metric_writes(place, metric, rows.seq, cells)


def result_keys(run: str, segment: str, batch: int = NO_BATCH) -> list[str]:
    """Where a result goes beside its columns, in the order of the script FINISH.

    Args:
        run, segment: whose it is.
        batch: the sample batch whose partial results it ends.
    """
    shard = keys.shard_of(run)
    return [
        keys.segments(run),
        keys.rows(run),
        keys.metrics(run),
        keys.problems(run),
        keys.events(run),
        keys.shard_events(shard),
        keys.dead_letters(shard),
        keys.parts(run, segment, batch),
        keys.grids(run),
        keys.modes(run),
        keys.edits(run),
        keys.counters(shard),
    ]


def payload_of(
    block: Block,
    ordinal: int,
    writes: list[columns.Write],
    *,
    now_s: float,
    counts: Mapping[str, int] = MappingProxyType({}),
    dead: str = "",
    artifacts: Artifacts = NO_ARTIFACTS,
    parts: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """JSON of everything that the script FINISH needs beside the bytes of columns and artifacts.

    Args:
        block: the points.
        ordinal: of the block's segment in its run; later segments hide earlier ones.
        writes: of the block's columns, in the order their bytes are sent.
        now_s: Unix seconds by the Redis clock.
        counts: counters of the run to raise.
        dead: why the job is given up, "" if it is not.
        artifacts: of a sample batch; filed under its order and step.
        parts: of points whose network is spread over ranks, see `WeightParts.told`.
    """
    newest = int(block.rows.seq.argmax())
    last_row, last_step = int(block.rows.seq[newest]), int(block.rows.step[newest])
    last_time = float(block.rows.time[newest])
    place = {"ordinal": ordinal, "row": last_row, "step": last_step, "time": last_time}
    return json.dumps(
        {
            "run": block.run,
            "segment": block.segment,
            "kind": block.kind,
            "rows": last_row + 1,
            "first_step": int(block.rows.step.min()),
            "last_step": last_step,
            "last_time": last_time,
            "offsets": [write.offset for write in writes],
            "chunks": edited(block),
            "all_chunks": ALL_CHUNKS,
            "counts": dict(counts),
            "counted": counted_points(block, now_s),
            "metrics": _latest(block, ordinal),
            "problems": _problems(block),
            "artifact": f"{_order(ordinal, last_row)}:{last_step}",
            "most_artifacts": MOST_ARTIFACTS,
            "event": points_event(block, has_grid=bool(artifacts.grid)),
            "light_event": light_points(block),
            "most_events": MOST_EVENTS,
            "dead": dead,
            "most_dead": MOST_DEAD_LETTERS,
            "made_with": _made_with(artifacts, place),
            **parts,
        }
    )


def _made_with(artifacts: Artifacts, place: Mapping[str, float]) -> list[dict[str, Any]]:
    """What metrics of a batch were made with, and the batch, should it be another than before."""
    told = ((metric, *about, getattr(artifacts, about[0])) for metric, about in MADE_WITH.items())
    return [
        {
            "field": field,
            "same": same,
            "told": json.dumps(made_with),
            "at": json.dumps({"metric": metric, **place}),
        }
        for metric, field, same, made_with in told
        if made_with
    ]


def _order(ordinal: int, row: int) -> int:
    return ordinal * ORDER_STRIDE + row


def _latest(block: Block, ordinal: int) -> list[list[Any]]:
    latest = []
    for metric, cells in block.cells.items():
        cell = max(cells, key=lambda cell: int(block.rows.seq[cell.row]))
        point = asdict(block.point(metric, cell))
        told = {name: point[name] for name in POINT_FIELDS}
        order = _order(ordinal, int(block.rows.seq[cell.row]))
        latest.append([metric, order, json.dumps({"kind": block.kind, **told})])
    return latest


def _problems(block: Block) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for metric in block.cells:
        if is_tensor_metric(metric):
            continue
        for point in block.points([metric]):
            if point.status == "ok":
                continue
            key = f"{metric}|{point.status}"
            entry = found.setdefault(
                key, {"key": key, "metric": metric, "count": 0, "first_step": point.step}
            )
            entry["count"] += 1
            entry.update(status=point.status, last_step=point.step, reason=point.reason)
    return list(found.values())
