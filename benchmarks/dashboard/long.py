"""A run of two million steps: its first paint, and a zoom down to its single steps."""

import time

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks.dashboard.browser import WATCH_DRAWINGS, context_of
from benchmarks.dashboard.live import Row
from benchmarks.dashboard.product import Product
from benchmarks.server.long_run import write_run
from benchmarks.server.points import METRICS, make_points
from benchmarks.server.product import wait_for_watch

RUN = "long"
#: Steps of the closest look: every one of them is to be drawn.
CLOSE = 1000
#: JavaScript: whether every metric has its curve; true one animation frame later.
PAINTED = """async metrics => {
  const drawn = () => {
    const traces = document.querySelector("#curves")?.data ?? [];
    return metrics.every((metric) => traces.some(({name, x}) => name === metric && x.length > 1));
  };
  while (!drawn()) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now();
}"""
#: JavaScript: sends the page to another stretch, as a drag does, and waits for all its steps.
ZOOM = """async ([first, last, metric]) => {
  const plot = document.querySelector("#curves");
  const begun = performance.now();
  const held = () => plot.data.find(({name}) => name === metric).x
    .filter((x) => x >= first && x <= last).length;
  plot.emit("plotly_relayout", {"xaxis.range[0]": first, "xaxis.range[1]": last});
  while (held() < last - first + 1) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""


def prepare(product: Product, steps: int) -> None:
    """Write the run, and let the detector see it, as it would have while it was trained."""
    write_run(product.store, RUN, make_points(steps))
    wait_for_watch(product.store, RUN, steps)


def first_paint(product: Product, browser: Browser, times: int) -> list[Row]:
    """From the address to the curves of all ten metrics: the server's first query, then others."""
    taken: list[dict[str, float]] = []
    for _ in range(times + 1):
        with context_of(browser, product.url) as context:
            taken.append(paint(context.new_page()))
    first, *others = taken
    return [
        {"name": "first paint, nothing read yet", **first},
        {"name": "first paint", **{key: _median(others, key) for key in first}},
    ]


def paint(page: Page) -> dict[str, float]:
    """One load of the page: time, requests and bytes until it is drawn."""
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"/runs/{RUN}?open=scalars", wait_until="commit")
    painted_ms = page.evaluate(PAINTED, list(METRICS))
    sent = page.evaluate(
        "performance.getEntriesByType('resource').reduce((n, e) => n + e.transferSize, 0)"
    )
    return {"ms": painted_ms, "requests": len(requests), "kilobytes": sent / 1e3}


def zooms(product: Product, browser: Browser, steps: int, times: int) -> Row:
    """From the end of the drag to the last of all single steps, each time somewhere else."""
    rng = np.random.default_rng(1)
    with context_of(browser, product.url) as context:
        page = context.new_page()
        paint(page)
        page.evaluate(WATCH_DRAWINGS)
        taken = []
        for _ in range(times):
            time.sleep(1)
            first = int(rng.integers(0, steps - CLOSE))
            taken.append(page.evaluate(ZOOM, [first, first + CLOSE, METRICS[0]]))
    return {
        "name": f"zoom to {CLOSE:,} single steps",
        "p50_ms": float(np.quantile(taken, 0.5)),
        "p95_ms": float(np.quantile(taken, 0.95)),
        "max_ms": max(taken),
    }


def _median(rows: list[dict[str, float]], key: str) -> float:
    return float(np.median([row[key] for row in rows]))
