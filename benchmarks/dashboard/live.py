"""From push to pixel, alone and among a hundred; ten tabs on one line."""

import http.client
import re
import time
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Browser

from benchmarks.dashboard.browser import WAIT_MS, WATCH_PIXELS, context_of, wait_for_curve
from benchmarks.dashboard.product import Crowd, Product
from monitor.store.runs import run_ids

TABS = 10
METRIC = "S.G"
#: Before the look begins: the page has loaded and has caught up with what came meanwhile.
SETTLE_MS = 5000
Row = dict[str, object]


def push_to_pixel(
    product: Product, browser: Browser, seconds: float, points_per_s: float, others: int
) -> Row:
    """Latency of every point that one page draws while `others` listen."""
    run = f"live-{others}"
    with product.training(run, points_per_s), context_of(browser, product.url) as context:
        page = context.new_page()
        wait_for_run(product, run)
        with Crowd(product.url, f"/api/runs/{run}/events", others) as crowd:
            page.goto(f"/runs/{run}?x=time")
            wait_for_curve(page, METRIC, least=20)
            page.wait_for_timeout(SETTLE_MS)
            page.evaluate(WATCH_PIXELS, METRIC)
            page.wait_for_timeout(seconds * 1000)
            taken_ms = page.evaluate("window.pixels")
        return {
            "name": f"push to pixel, {others} others listen",
            "p50_ms": float(np.quantile(taken_ms, 0.5)),
            "p95_ms": float(np.quantile(taken_ms, 0.95)),
            "max_ms": max(taken_ms),
            "points": len(taken_ms),
            "others_bytes": crowd.received_bytes,
        }


def tabs(product: Product, browser: Browser, points_per_s: float) -> Row:
    """Ten tabs, half of them on one run, the list and other runs: are all live, on which lines?"""
    with product.training("tabs", points_per_s), context_of(browser, product.url) as context:
        wait_for_run(product, "tabs")
        others = [run for run in run_ids(product.store) if run != "tabs"]
        paths = ["/", *(f"/runs/{run}" for run in others)][: TABS // 2]
        paths += ["/runs/tabs"] * (TABS - len(paths))
        pages = [context.new_page() for _ in paths]
        for page, path in zip(pages, paths, strict=True):
            page.goto(path, wait_until="commit")
        for page, path in zip(pages, paths, strict=True):
            page.wait_for_function("() => document.documentElement.dataset.state === 'live'")
            if path == "/runs/tabs":
                wait_for_curve(page, METRIC, least=100)
        return {"name": f"{TABS} tabs, all live", "lines": listeners(product.url)}


def listeners(url: str) -> int:
    """Event streams that the server counts."""
    parts = urlsplit(url)
    line = http.client.HTTPConnection(parts.hostname or "", parts.port)
    line.request("GET", "/metrics")
    found = re.search(r"^sqd_sse_clients (\S+)$", line.getresponse().read().decode(), re.M)
    assert found is not None
    return int(float(found.group(1)))


def wait_for_run(product: Product, run: str) -> None:
    """Until its trainer has registered it."""
    give_up_s = time.monotonic() + WAIT_MS / 1000
    while run not in run_ids(product.store):
        if time.monotonic() > give_up_s:
            raise SystemExit(f"the trainer of {run} did not start")
        time.sleep(0.1)
