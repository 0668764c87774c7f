"""A block to what the script FINISH takes: writes, latest points, problems, events."""

import json
from collections.abc import Iterator
from typing import Any

from monitor.store import columns
from monitor.store.blocks import Block, is_tensor_metric
from monitor.store.events import MOST_EVENTS, light_points, points_event

#: Segments order points before rows do: more rows than a segment will ever have.
ORDER_STRIDE = 2**40


def writes_of(block: Block) -> Iterator[columns.Write]:
    """What must be written for a block: its index columns and those of its metrics."""
    rows = block.rows
    place = (block.run, block.segment, block.kind)
    index = {columns.STEP: rows.step, columns.EPOCH: rows.epoch, columns.TIME: rows.time}
    for name, values in index.items():
        yield from columns.writes(*place, name, rows.seq, columns.encode_words(values))
    for metric, cells in block.cells.items():
        yield from columns.metric_writes(place, metric, rows.seq, cells)


def payload_of(
    block: Block,
    ordinal: int,
    writes: list[columns.Write],
    *,
    counts: dict[str, int],
    dead: str,
    batch: int,
    has_grid: bool,
    provenance: dict[str, Any] | None,
) -> str:
    """JSON of everything that the script FINISH needs beside the bytes of columns and artifacts.

    Args:
        block: the points.
        ordinal: of the block's segment in its run; later segments hide earlier ones.
        writes: of the block's columns, in the order their bytes are sent.
        counts: counters of the run to raise.
        dead: why the job is given up, "" if it is not.
        batch: number that artifacts are filed under.
        has_grid: whether an image grid is stored with it.
        provenance: what D was measured with.
    """
    newest = int(block.rows.seq.argmax())
    return json.dumps(
        {
            "run": block.run,
            "segment": block.segment,
            "kind": block.kind,
            "rows": int(block.rows.seq.max()) + 1,
            "first_step": int(block.rows.step.min()),
            "last_step": int(block.rows.step[newest]),
            "last_time": float(block.rows.time[newest]),
            "offsets": [write.offset for write in writes],
            "counts": counts,
            "metrics": _latest(block, ordinal),
            "problems": _problems(block),
            "artifact": f"{block.segment}:{batch}",
            "event": points_event(block, has_grid=has_grid),
            "light_event": light_points(block),
            "most_events": MOST_EVENTS,
            "dead": dead,
            "provenance": json.dumps(provenance) if provenance else "",
        }
    )


def _latest(block: Block, ordinal: int) -> list[list[Any]]:
    latest = []
    for metric, cells in block.cells.items():
        cell = max(cells, key=lambda cell: int(block.rows.seq[cell.row]))
        order = ordinal * ORDER_STRIDE + int(block.rows.seq[cell.row])
        point = block.point(metric, cell)
        latest.append(
            [
                metric,
                order,
                json.dumps(
                    {
                        "kind": block.kind,
                        "step": point.step,
                        "epoch": point.epoch,
                        "time": point.time,
                        "value": point.value,
                        "stderr": point.stderr,
                        "n": point.n,
                        "status": point.status,
                    }
                ),
            ]
        )
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
