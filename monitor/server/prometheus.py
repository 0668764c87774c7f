"""`GET /metrics`: what an operator watches, as Prometheus text."""

from collections import Counter
from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from monitor.errors import StoreError
from monitor.server.hub import Hub
from monitor.server.parameters import StoreOfApp
from monitor.store.connection import Store
from monitor.store.lag import behind, dead_letters, outstanding_bytes, queued_jobs
from monitor.store.retention import read_counters
from monitor.store.runs import RunRecord, read_runs, run_ids
from monitor.store.workers import alive_workers

Counts = dict[tuple[str, ...], float]
STATUSES = ("running", "finished", "lost")
KINDS = ("weights", "samples")
#: What runs are removed for, and what is thinned (monitor/watch/retention.py).
LIMITS, PICTURES = ("days", "bytes"), ("grids", "modes")

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def read_metrics(store: StoreOfApp, request: Request) -> Response:
    """Runs, queues, lag, drops, alerts, workers and listeners."""
    registry = CollectorRegistry()
    registry.register(StoreCollector(store, request.app.state.hub))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class StoreCollector(Collector):
    """Reads everything anew at each scrape; while Redis is away it says only that."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: registering must not read Redis."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        yield _gauge("sse_clients", "Open event streams of this server", self._hub.listeners)
        try:
            found = [*_of_store(self._store), *_of_runs(self._store)]
        except StoreError:
            yield _gauge("redis_up", "Whether Redis answers", 0)
        else:
            yield _gauge("redis_up", "Whether Redis answers", 1)
            yield from found


def _of_store(store: Store) -> Iterator[GaugeMetricFamily]:
    jobs = queued_jobs(store)
    yield _labelled(
        "queued_jobs", "Jobs not yet finished", ("lane",), {(k,): n for k, n in jobs.items()}
    )
    yield _gauge("dead_letters", "Jobs given up after repeated failure", dead_letters(store))
    workers = alive_workers(store)
    did = read_counters(store)
    removed: Counts = {(k,): did.get(f"removed_runs:{k}", 0) for k in LIMITS}
    yield _labelled("removed_runs", "Runs removed by a limit", ("limit",), removed)
    thinned: Counts = {(k,): did.get(f"thinned_{k}", 0) for k in PICTURES}
    yield _labelled("thinned", "Image grids and mode histograms thinned", ("what",), thinned)
    stored = did.get("stored_bytes", 0)
    yield _gauge("stored_bytes", "Memory of all runs in Redis when last counted", stored)
    yield _gauge("workers", "Workers alive", len(workers))
    rates: Counts = {(w["id"],): float(w["images_per_s"]) for w in workers if "images_per_s" in w}
    yield _labelled("images_per_second", "Images evaluated while at work", ("worker",), rates)


def _of_runs(store: Store) -> Iterator[GaugeMetricFamily]:
    now_s = store.now_s()
    records = read_runs(store, run_ids(store))
    statuses = Counter(record.status for record in records)
    yield _labelled("runs", "Runs", ("status",), {(each,): statuses[each] for each in STATUSES})
    waiting = outstanding_bytes(store, [record.id for record in records])
    yield _gauge("outstanding_bytes", "Frames pushed and not yet processed", sum(waiting))
    running = [record for record in records if record.status == "running"]
    lag = {(r.id, kind): behind(r, kind, now_s) for r in running for kind in KINDS}
    yield _labelled(
        "lag_steps", "Newest result to newest push", ("run", "kind"),
        {place: steps for place, (steps, _) in lag.items()},
    )  # fmt: skip
    yield _labelled(
        "lag_seconds", "Age of the newest result while pushes wait", ("run", "kind"),
        {place: seconds for place, (_, seconds) in lag.items()},
    )  # fmt: skip
    yield _labelled("dropped", "Pushes lost", ("run", "reason"), _drops(records))
    yield _labelled("alerts", "Alerts raised", ("run", "severity"), _alerts(records))


def _drops(records: list[RunRecord]) -> Counts:
    return {(r.id, reason): count for r in records for reason, count in r.drops.items()}


def _alerts(records: list[RunRecord]) -> Counts:
    return dict(Counter((r.id, str(alert["severity"])) for r in records for alert in r.alerts))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"sqd_{name}", text, value=value)


def _labelled(
    name: str, text: str, labels: tuple[str, ...], values: dict[tuple[str, ...], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"sqd_{name}", text, labels=labels)
    for place, value in values.items():
        family.add_metric(place, value)
    return family
