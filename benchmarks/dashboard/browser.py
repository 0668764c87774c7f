"""A headless Chromium, and what can be asked of a page in it."""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
#: What a second screen shows.
VIEWPORT = {"width": 1400, "height": 1000}
#: Longest wait for anything on a page, milliseconds.
WAIT_MS = 120_000

#: JavaScript: keeps, for every point of a metric that is drawn from now on, the milliseconds from
#: its push to the animation frame after the drawing. The axis must be time, the clock UTC.
WATCH_PIXELS = """metric => {
  const plot = document.querySelector("#curves");
  const xs = () => plot.data.find(({name}) => name === metric)?.x ?? [];
  let newest = xs().at(-1) ?? -Infinity;
  window.pixels = [];
  plot.on("plotly_afterplot", () => {
    const fresh = [];
    const all = xs();
    for (let i = all.length - 1; i >= 0 && all[i] > newest; --i) fresh.push(all[i]);
    newest = all.at(-1) ?? newest;
    requestAnimationFrame(() => window.pixels.push(...fresh.map((x) => Date.now() - x)));
  });
}"""
#: JavaScript: keeps the length of every task of 50 ms and more, and the time between frames.
WATCH_TASKS = """() => {
  window.tasks = [];
  window.frames = [];
  const keep = (list) => window.tasks.push(...list.getEntries().map(({duration}) => duration));
  new PerformanceObserver(keep).observe({type: "longtask"});
  let before = performance.now();
  const frame = (now) => (window.frames.push(now - before), (before = now), next());
  const next = () => requestAnimationFrame(frame);
  next();
}"""
#: JavaScript: keeps when every drawing of the curves ended, milliseconds since the page began.
WATCH_DRAWINGS = """() => {
  const plot = document.querySelector("#curves");
  const frame = () => requestAnimationFrame(() => (window.drawnAt = performance.now()));
  plot.on("plotly_afterplot", frame);
}"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a screen."""
    if not Path(CHROMIUM).exists():
        raise SystemExit(f"{CHROMIUM} is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@contextlib.contextmanager
def context_of(browser: Browser, url: str, **options: Any) -> Iterator[BrowserContext]:
    """A profile of its own, with nothing in its cache."""
    context = browser.new_context(base_url=url, timezone_id="UTC", viewport=VIEWPORT, **options)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_MS)
    yield context
    context.close()


def wait_for_curve(page: Page, metric: str, least: int = 2) -> None:
    """Until so many points of a metric are drawn."""
    page.wait_for_function(
        """([metric, least]) => document.querySelector("#curves")?.data
          ?.find(({name}) => name === metric)?.x.length >= least""",
        arg=[metric, least],
    )


def memory(page: Page) -> dict[str, float]:
    """What is left after a collection: heap and the renderer's share of memory, MB; DOM nodes."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    counters = session.send("Memory.getDOMCounters")
    session.detach()
    assert page.context.browser is not None
    whole = page.context.browser.new_browser_cdp_session()
    processes = whole.send("SystemInfo.getProcessInfo")["processInfo"]
    whole.detach()
    renderers = [each["id"] for each in processes if each["type"] == "renderer"]
    return {
        "heap_mb": heap / 1e6,
        "renderer_mb": max(map(_share_mb, renderers)),
        "nodes": counters["nodes"],
        "listeners": counters["jsEventListeners"],
    }


@contextlib.contextmanager
def left_alone(url: str) -> Iterator[Callable[[], float]]:
    """A browser on a page with nobody looking into it; gives its renderer's share of memory, MB.

    What Playwright steers keeps the bytes of every answer for its inspector: a hundred MB and more
    of an event stream that never ends.
    """
    with tempfile.TemporaryDirectory(prefix="sqd-bench-", ignore_cleanup_errors=True) as profile:
        size = f"--window-size={VIEWPORT['width']},{VIEWPORT['height']}"
        command = [CHROMIUM, "--headless", *FLAGS, size, f"--user-data-dir={profile}", url]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield lambda: max(map(_share_mb, _renderers(profile)), default=0.0)
        finally:
            browser.terminate()
            browser.wait()


def _renderers(profile: str) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            said = path.read_bytes()
            if b"--type=renderer" in said and profile.encode() in said:
                yield int(path.parent.name)


def _share_mb(process: int) -> float:
    """Proportional share of memory: what others map as well counts by half, by a third, …"""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    (line,) = [each for each in lines if each.startswith("Pss:")]
    return int(line.split()[1]) * 1024 / 1e6
