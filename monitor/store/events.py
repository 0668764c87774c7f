"""Events: what changed, in the order it changed, for browsers that listen."""

import json
from dataclasses import dataclass
from typing import Any

from monitor.store.blocks import Block, is_tensor_metric
from monitor.store.connection import Store, reachable, text
from trainer_hooks import keys

#: Entries kept of each stream: at four blocks a second, ten minutes to come back in.
MOST_EVENTS = 2400
#: Entries read at once.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an event stream: its id, its name and its JSON."""

    id: str
    name: str
    run: str
    data: str


def points_event(block: Block, *, has_grid: bool) -> str:
    """JSON of a block's points, columnar, without those of single tensors; "" if there are none."""
    series = {
        metric: _columns(block, metric) for metric in block.cells if not is_tensor_metric(metric)
    }
    if not series:
        return ""
    samples = [int(step) for step in block.rows.step] if has_grid else []
    return json.dumps({"run": block.run, "series": series, "samples": samples})


def light_points(block: Block) -> str:
    """JSON of the newest point of each metric, for the list of runs."""
    latest = {
        metric: {name: column[-1] for name, column in _columns(block, metric).items()}
        for metric in block.cells
        if not is_tensor_metric(metric)
    }
    last_step = int(block.rows.step[block.rows.seq.argmax()])
    return json.dumps({"run": block.run, "last_step": last_step, "latest": latest})


def read_after(store: Store, stream: str, after: str) -> list[Event]:
    """Up to PAGE events after the id `after`, oldest first."""
    with reachable(store.redis_url):
        entries: Any = store.data.xrange(stream, min=f"({after}", count=PAGE)
    return [_event(entry) for entry in entries]


def newest_id(store: Store, stream: str) -> str:
    """Id of the newest event; ``0-0`` when there is none."""
    with reachable(store.redis_url):
        entries: Any = store.data.xrevrange(stream, count=1)
    return text(entries[0][0]) if entries else "0-0"


def still_holds(store: Store, stream: str, event_id: str) -> bool:
    """Whether the event is still in the stream, so that nothing after it is missing."""
    with reachable(store.redis_url):
        return bool(store.data.xrange(stream, min=event_id, max=event_id))


def announce(
    store: Store, run: str, name: str, data: dict[str, Any], *, shard_only: bool = False
) -> None:
    """Append an event to its shard's stream and, unless `shard_only`, to the run's."""
    # The shard's last: it wakes listeners, who then read their run's.
    streams = [] if shard_only else [keys.events(run)]
    streams.append(keys.shard_events(keys.shard_of(run)))
    with reachable(store.redis_url):
        for stream in streams:
            store.data.xadd(
                stream,
                {"event": name, "run": run, "data": json.dumps(data)},
                maxlen=MOST_EVENTS,
            )


def _columns(block: Block, metric: str) -> dict[str, list[Any]]:
    # In the order of the pushes, whose steps may go back.
    cells = sorted(block.cells[metric], key=lambda cell: cell.row)
    points = [block.point(metric, cell) for cell in cells]
    names = ("step", "epoch", "time", "value", "stderr", "n", "status")
    return {name: [getattr(point, name) for point in points] for name in names}


def _event(entry: Any) -> Event:
    fields = {text(name): text(value) for name, value in entry[1].items()}
    return Event(text(entry[0]), fields["event"], fields.get("run", ""), fields["data"])
