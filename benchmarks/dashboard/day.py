"""A page left open for a day of points, told to it much faster than they would come."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser

from benchmarks.dashboard.browser import WATCH_TASKS, context_of, left_alone, memory, wait_for_curve
from benchmarks.dashboard.live import Row
from benchmarks.dashboard.product import Product
from benchmarks.server.long_run import LongRun
from monitor.store.connection import Store
from monitor.store.events import MOST_EVENTS
from trainer_hooks import keys

RUN = "day"
METRICS = ("S.G", "S.D")
#: The hooks send four times a second; so many events tell of it.
BLOCKS_PER_S = 4
#: Points of both metrics, a second.
POINTS_PER_S = 50.0
#: Seconds of the run that are stored at once, then told block by block.
PIECE_S = 60
#: Points that the plot may hold once nothing more comes: of each metric twice what it asks for,
#: before it asks again.
MOST_HELD = len(METRICS) * 2 * 2000
#: JavaScript: points in the plot.
HELD = "document.querySelector('#curves').data.reduce((n, {x}) => n + x.length, 0)"
#: JavaScript: whether the last step is drawn, among few enough points.
CAUGHT_UP = f"""([last, most]) => {HELD} <= most &&
  document.querySelector("#curves").data.find(({{name}}) => name === "S.G").x.at(-1) === last"""
#: JavaScript: counts the drawings.
COUNT_DRAWINGS = """() => {
  window.drawings = 0;
  document.querySelector("#curves").on("plotly_afterplot", () => ++window.drawings);
}"""


def leave_open(product: Product, browser: Browser, hours: float, speed: float) -> Row:
    """What the page holds after so many hours of points, and whether it still answers."""
    feed = Feed(product.store, hours, speed)
    feed.begin()
    with (
        context_of(browser, product.url) as context,
        left_alone(f"{product.url}/runs/{RUN}") as share_mb,
    ):
        page = context.new_page()
        page.goto(f"/runs/{RUN}")
        wait_for_curve(page, METRICS[0])
        page.evaluate(WATCH_TASKS)
        page.evaluate(COUNT_DRAWINGS)
        before = memory(page)
        feed.start()
        most_mb = 0.0
        while feed.running:
            page.wait_for_timeout(1000)
            most_mb = max(most_mb, share_mb())
        page.wait_for_function(CAUGHT_UP, arg=[feed.steps - 1, MOST_HELD])
        after = memory(page)
        answered_ms = page.evaluate(PRESS)
        held = page.evaluate(HELD)
        tasks = page.evaluate("window.tasks")
        return {
            "name": f"{hours:g} h of points, {feed.steps:,} steps",
            "before": before,
            "after": after,
            "most_mb": most_mb,
            "left_mb": share_mb(),
            "points_held": held,
            "drawings": page.evaluate("window.drawings"),
            "longest_task_ms": max(tasks, default=0.0),
            "key_to_drawing_ms": answered_ms,
        }


#: JavaScript: how long a key takes until the curves are drawn anew.
PRESS = """async () => {
  const plot = document.querySelector("#curves");
  const begun = performance.now();
  const drawn = new Promise((resolve) => plot.once("plotly_afterplot", resolve));
  dispatchEvent(new KeyboardEvent("keydown", {key: "+"}));
  await drawn;
  await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""


class Feed:
    """Stores the points of a run and tells of them, as worker and hooks would, but faster.

    Args:
        store: both Redis servers.
        hours: of the run.
        speed: seconds of the run in a second.
    """

    def __init__(self, store: Store, hours: float, speed: float) -> None:
        self._store, self._speed = store, speed
        self._per_s = POINTS_PER_S / len(METRICS)
        self.steps = int(hours * 3600 * self._per_s)
        self._begun_s = time.time() - hours * 3600
        self._rng = np.random.default_rng(0)
        self._run = LongRun(store, RUN)
        self._told = 0
        self._thread = threading.Thread(target=self._work)

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return self._thread.is_alive()

    def begin(self) -> None:
        """The first piece, so that there is something to show."""
        self._piece()

    def start(self) -> None:
        """Tell the rest, in a thread."""
        self._thread.start()

    def _work(self) -> None:
        begun = time.monotonic()
        begun_at = self._told
        while self._told < self.steps:
            self._piece()
            due_s = (self._told - begun_at) / self._per_s / self._speed
            time.sleep(max(0.0, begun + due_s - time.monotonic()))

    def _piece(self) -> None:
        """Store the rows of a minute, then tell of them in blocks."""
        count = min(int(PIECE_S * self._per_s), self.steps - self._told)
        step = np.arange(self._told, self._told + count)
        time_s = self._begun_s + step / self._per_s
        values = {
            metric: 0.003 * np.exp(0.1 * self._rng.standard_normal(count)) for metric in METRICS
        }
        self._run.append(step, time_s, values)
        self._told += count
        pipe = self._store.data.pipeline(transaction=False)
        for part in np.array_split(np.arange(count), max(1, PIECE_S * BLOCKS_PER_S)):
            if part.size == 0:
                continue
            for stream, data in self._events(step[part], time_s[part], values, part):
                fields: dict[Any, Any] = {"event": "points", "run": RUN, "data": json.dumps(data)}
                pipe.xadd(stream, fields, maxlen=MOST_EVENTS)
        pipe.execute()

    def _events(
        self,
        step: NDArray[np.int64],
        time_s: NDArray[np.float64],
        values: dict[str, NDArray[np.float64]],
        part: NDArray[np.int64],
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the run's stream and that of all runs say of a block."""
        index = {"step": step.tolist(), "epoch": (step / 1000).tolist(), "time": time_s.tolist()}
        flat = {"stderr": [None] * step.size, "n": [1] * step.size, "status": ["ok"] * step.size}
        series = {name: {**index, "value": values[name][part].tolist(), **flat} for name in METRICS}
        yield keys.events(RUN), {"run": RUN, "series": series, "samples": []}
        latest = {
            name: {key: column[-1] for key, column in each.items()} for name, each in series.items()
        }
        yield (
            keys.shard_events(keys.shard_of(RUN)),
            {"run": RUN, "last_step": int(step[-1]), "latest": latest},
        )
