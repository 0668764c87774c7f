"""`GET /metrics`: what an operator watches, as Prometheus text (docs/operations.md).

What is told of each run is told of those heard lately, MOST_RUNS at most: their number, not the
store's, bounds the answer. What is told of all has no run as a label and never goes down.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from monitor.errors import StoreError
from monitor.server.families import Family, Values, counters, gauge, gauges, histogram
from monitor.server.hub import Hub
from monitor.store.alerts import open_alerts
from monitor.store.blocks import KINDS
from monitor.store.connection import Store
from monitor.store.counters import (
    EVALUATION,
    FAMILIES,
    PARTS,
    PUSH_TO_POINT,
    fields_of,
    read_counters,
)
from monitor.store.lag import behind, outstanding_bytes, queued_jobs
from monitor.store.pulses import Pulse, read_pulses
from monitor.store.runs import RunRecord, read_runs
from monitor.store.workers import alive_workers
from monitor.types import STATUSES as POINT_STATUSES
from trainer_hooks.keys import LANES

STATUSES = ("running", "finished", "lost")
#: What runs are removed for, and what is thinned (monitor/watch/retention.py).
LIMITS, PICTURES = ("days", "bytes"), ("grids", "modes")
#: How a notice may end (monitor/store/deliveries.py), and how grave an open alert may be.
OUTCOMES, GRAVE = ("sent", "muted", "given_up"), ("warning", "critical")
#: A run is heard lately within this, seconds: what it lost at its end must be read before it goes.
LATELY_S = 3600.0
#: Runs of which something is told one by one; the last heard come first.
MOST_RUNS = 200
#: What a worker may lose of a run. Told also while it is 0, so that the first loss is a rise.
WORKER_REASONS = ("worker_lost_frames", "worker_lost_parts", "worker_skipped_chunks")
#: Reasons come from trainers: what does not look like one, or is one too many, is ``other``.
REASON, MOST_REASONS = re.compile(r"[a-z_.]{1,40}"), 30

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def read_metrics(request: Request) -> Response:
    """Pushes, points, lag, queues, drops, evaluation times, alerts, workers and listeners."""
    registry = CollectorRegistry()
    state = request.app.state
    registry.register(StoreCollector(state.store, state.hub, state.requests))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class StoreCollector(Collector):
    """Reads everything anew at each scrape; while Redis is away it says only that."""

    def __init__(self, store: Store, hub: Hub, requests: "Counter[tuple[str, ...]]") -> None:
        self._store = store
        self._hub = hub
        self._requests = requests

    def describe(self) -> Iterable[Family]:
        """Nothing: registering must not read Redis."""
        return ()

    def collect(self) -> Iterator[Family]:
        """The families."""
        yield gauge("sse_clients", "Open event streams of this server", self._hub.listeners)
        answered = dict(self._requests)
        yield counters("http_requests", "Answers of this server", ("method", "code"), answered)
        try:
            found = [*_counted(self._store), *_waiting(self._store), *_of_runs(self._store)]
        except StoreError:
            yield gauge("redis_up", "Whether Redis answers", 0)
        else:
            yield gauge("redis_up", "Whether Redis answers", 1)
            yield from found


def _counted(store: Store) -> Iterator[Family]:
    """What happened since the store began; it survives every restart but that of an empty Redis."""
    did = read_counters(store)

    def known(name: str, *labels: Sequence[str]) -> Values:
        return {place: did.get(":".join((name, *place)), 0) for place in product(*labels)}

    yield counters("pushes", "Pushes whose points are stored", ("kind",), known("pushes", KINDS))
    points = known("points", FAMILIES, POINT_STATUSES)
    yield counters("points", "Points stored", ("metric", "status"), points)
    dead = known("dead_letters", KINDS)
    yield counters("dead_letters", "Jobs given up after repeated failure", ("kind",), dead)
    raised = fields_of(did, "alerts", 2)
    yield counters("alerts", "Alerts raised", ("kind", "severity"), raised)
    notices = known("notices", OUTCOMES)
    yield counters("notices", "Alerts at channels, by how it ended", ("outcome",), notices)
    removed = known("removed_runs", LIMITS)
    yield counters("removed_runs", "Runs removed by a limit", ("limit",), removed)
    thinned = known("thinned", PICTURES)
    yield counters("thinned", "Image grids and mode histograms thinned", ("what",), thinned)
    yield gauge("stored_bytes", "Memory of all runs in Redis when last counted",
                did.get("stored_bytes", 0))  # fmt: skip
    yield histogram(PUSH_TO_POINT, "From a push to its stored points", "kind", did, KINDS)
    yield histogram(EVALUATION, "Time to evaluate a frame, chunk or batch", "metric", did, PARTS)


def _waiting(store: Store) -> Iterator[Family]:
    jobs = {(lane,): number for lane, number in queued_jobs(store).items()}
    yield gauges("queued_jobs", "Jobs not yet finished", ("lane",), jobs)
    workers = alive_workers(store)
    lanes = Counter(worker.get("lane", "") for worker in workers)
    alive = {(lane,): lanes[lane] for lane in LANES}
    yield gauges("workers", "Workers alive", ("lane",), alive)
    rates = {(w["id"],): float(w["images_per_s"]) for w in workers if "images_per_s" in w}
    yield gauges("images_per_second", "Images evaluated while at work", ("worker",), rates)


def _of_runs(store: Store) -> Iterator[Family]:
    now_s = store.now_s()
    pulses = read_pulses(store)
    statuses = Counter(pulse.status for pulse in pulses)
    yield gauges("runs", "Runs", ("status",), {(each,): statuses[each] for each in STATUSES})
    waiting = sum(outstanding_bytes(store, [pulse.run for pulse in pulses]))
    yield gauge("outstanding_bytes", "Frames pushed and not yet processed", waiting)
    lately = _lately(pulses, now_s)
    told = lately[:MOST_RUNS]
    yield gauge("runs_left_out", "Runs heard lately that are not told of", len(lately) - len(told))
    records = read_runs(store, told)
    running = [record for record in records if record.status == "running"]
    lag = {(r.id, kind): behind(r, kind, now_s) for r in running for kind in KINDS}
    steps = {place: steps for place, (steps, _) in lag.items()}
    yield gauges("lag_steps", "Newest result to newest push", ("run", "kind"), steps)
    ages = {place: seconds for place, (_, seconds) in lag.items()}
    text = "Age of the newest result while pushes wait"
    yield gauges("lag_seconds", text, ("run", "kind"), ages)
    lost = {place: n for record in records for place, n in _drops(record).items()}
    yield counters("dropped", "Lost of a run", ("run", "reason"), lost)
    raised = {place: n for record in records for place, n in _open(record).items()}
    yield gauges("open_alerts", "Alerts that are not over", ("run", "severity"), raised)


def _lately(pulses: Iterable[Pulse], now_s: float) -> list[str]:
    """Runs heard lately, the last heard first."""
    heard = [pulse for pulse in pulses if now_s - pulse.heartbeat_s <= LATELY_S]
    return [pulse.run for pulse in sorted(heard, key=lambda pulse: -pulse.heartbeat_s)]


def _drops(record: RunRecord) -> Values:
    total = Counter(dict.fromkeys(WORKER_REASONS, 0))
    for reason, number in sorted(record.drops.items()):
        is_one = REASON.fullmatch(reason) and (reason in total or len(total) < MOST_REASONS)
        total[reason if is_one else "other"] += number
    return {(record.id, reason): number for reason, number in total.items()}


def _open(record: RunRecord) -> Values:
    grave = Counter(alert["severity"] for alert in open_alerts(record.alerts))
    return {(record.id, severity): grave[severity] for severity in GRAVE}
