"""Hundreds of runs in the list, all of them training."""

import json
import threading
import time
from typing import Any

import numpy as np
from playwright.sync_api import Browser

from benchmarks.dashboard.browser import WATCH_TASKS, context_of, memory
from benchmarks.dashboard.live import Row
from benchmarks.dashboard.product import Product
from benchmarks.server.long_run import LongRun
from monitor.store.connection import Store
from monitor.store.events import MOST_EVENTS
from trainer_hooks import keys

METRICS = ("S.G", "S.D", "Q", "D", "loss.G", "loss.D")
STEPS = 300
#: Events of each run, a second; and how the list is scrolled, pixels of each turn of the wheel.
EVENTS_PER_S, TURN_PX, TURN_MS = 1, 120, 50


def many_runs(product: Product, browser: Browser, runs: int, seconds: float) -> Row:
    """Tasks and frames while a long list is updated and scrolled from end to end."""
    store = product.store
    names = [f"list-{number:03}" for number in range(runs)]
    for number, name in enumerate(names):
        write_short(store, name, number)
    stop = threading.Event()
    telling = threading.Thread(target=tell, args=(store, names, stop))
    with context_of(browser, product.url) as context:
        page = context.new_page()
        page.goto("/", wait_until="commit")
        page.wait_for_selector(".runs .spark path")
        shown_ms = page.evaluate("performance.now()")
        page.evaluate(WATCH_TASKS)
        telling.start()
        give_up_s = time.monotonic() + seconds
        page.mouse.move(700, 500)
        turn = TURN_PX
        while time.monotonic() < give_up_s:
            page.mouse.wheel(0, turn)
            page.wait_for_timeout(TURN_MS)
            if page.evaluate("scrollY + innerHeight >= document.body.scrollHeight"):
                turn = -TURN_PX
            elif page.evaluate("scrollY") == 0:
                turn = TURN_PX
        stop.set()
        telling.join()
        tasks, frames = page.evaluate("[window.tasks, window.frames]")
        return {
            "name": f"{runs} runs, updated and scrolled",
            "shown_ms": shown_ms,
            "long_tasks": len(tasks),
            "longest_task_ms": max(tasks, default=0.0),
            "frame_p50_ms": float(np.quantile(frames, 0.5)),
            "frame_p99_ms": float(np.quantile(frames, 0.99)),
            **memory(page),
        }


def write_short(store: Store, name: str, seed: int) -> None:
    """A young run whose trainer was heard just now."""
    rng = np.random.default_rng(seed)
    step = np.arange(STEPS)
    values = {metric: 0.5 + 0.1 * rng.standard_normal(STEPS) for metric in METRICS}
    LongRun(store, name).append(step, time.time() - STEPS + step, values)
    store.data.hset(keys.meta(name), "heartbeat", store.now_s())


def tell(store: Store, names: list[str], stop: threading.Event) -> None:
    """News of every run once a second, evenly spread."""
    rng = np.random.default_rng(0)
    step = STEPS
    while not stop.is_set():
        step += 1
        for name in names:
            values = rng.uniform(0.4, 0.6, len(METRICS))
            latest = {
                metric: {"step": step, "epoch": step / 1000, "time": time.time(), "value": value,
                         "stderr": None, "n": 1, "status": "ok"}
                for metric, value in zip(METRICS, values.tolist(), strict=True)
            }  # fmt: skip
            data = {"run": name, "last_step": step, "latest": latest}
            fields: dict[Any, Any] = {"event": "points", "run": name, "data": json.dumps(data)}
            store.data.xadd(keys.shard_events(keys.shard_of(name)), fields, maxlen=MOST_EVENTS)
            if stop.wait(1 / EVENTS_PER_S / len(names)):
                return
