"""A trainer is killed and resumed while somebody watches: the page follows without a reload."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from monitor.store.runs import LOST_AFTER_S
from monitor.watch import shard_watch, statuses, ticking
from monitor.watch.loop import Watch
from tests.e2e.tabs import opened
from tests.server.laboratory import Laboratory
from trainer_hooks import keys

pytestmark = pytest.mark.e2e

#: Longest wait for anything on the page, milliseconds, and for a thread's end, seconds.
WAIT_MS, WAIT_S = 30_000, 10
#: JavaScript: steps of the thin lines across all panels.
LINES = """() => document.querySelector('#curves').layout.shapes
  .filter(shape => shape.yref === 'paper' && shape.line.dash === 'dot').map(shape => shape.x0)"""


@pytest.fixture
def watching(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The watch, in a hurry."""
    monkeypatch.setattr(ticking, "TICK_S", 0.05)
    monkeypatch.setattr(shard_watch, "SWEEP_S", 0.2)
    monkeypatch.setattr(shard_watch, "COMMIT_S", 0.2)
    monkeypatch.setattr(statuses, "RETURN_S", 0.0)
    watch = Watch(store)
    thread = threading.Thread(target=watch.run)
    thread.start()
    yield
    watch.stop()
    thread.join(WAIT_S)


def stability(laboratory: Laboratory, name: str, steps: list[int], *, resume: bool) -> None:
    """A trainer process that pushed these steps and was killed, a moment ago."""
    run = laboratory.start(name, resume=resume)
    values = [0.002 + 0.0001 * (step % 7) for step in steps]
    laboratory.weights(run, {"S.G": values, "S.D": values}, steps=steps)
    laboratory.crash(run, silence_s=0)


def lines(page: Page, steps: list[int]) -> None:
    page.wait_for_function(
        f"steps => JSON.stringify(({LINES})()) === JSON.stringify(steps)",
        arg=steps,
        timeout=WAIT_MS,
    )


@pytest.mark.usefixtures("watching")
def test_page_shows_lost_then_running_and_marks_the_resume(
    store: Store, laboratory: Laboratory, browser: Browser, artifacts: Path
) -> None:
    stability(laboratory, "demo", list(range(0, 400, 4)), resume=False)
    with opened(browser, create_app(store)) as page:
        page.goto("/runs/demo")
        page.evaluate("window.neverLeft = true")
        status = page.locator(".run-head .caption")
        expect(status).to_have_text("running", timeout=WAIT_MS)
        lines(page, [])

        heartbeat_s = store.now_s() - LOST_AFTER_S - 1
        store.data.hset(keys.meta("demo"), "heartbeat", heartbeat_s)
        expect(status).to_have_text("lost", timeout=WAIT_MS)
        expect(page.locator(".verdict")).to_contain_text("trainer lost")

        resumed = [*range(200, 320, 4), *range(280, 480, 4)]
        stability(laboratory, "demo", resumed, resume=True)
        expect(status).to_have_text("running", timeout=WAIT_MS)
        lines(page, [200, 280])
        marks = page.locator(".mark")
        expect(marks).to_have_text(["resumed", "went back", "trainer lost"])
        box = page.locator(".figure").bounding_box()
        first = marks.first.bounding_box()
        assert box is not None
        assert first is not None
        page.mouse.move(first["x"] + first["height"] / 2, box["y"] + box["height"] / 2)
        label = page.locator(".crosshair-label")
        expect(label).to_contain_text("Resumed at step 200, ", timeout=WAIT_MS)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=artifacts / f"resumed-{scheme}.png")
        assert page.evaluate("window.neverLeft") is True
