"""A real browser watches a real GAN: the main job of the product, from one command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

#: Longest wait for S and the losses (contract of the demo: 15 s), and for two batches of Q and D
#: on a busy machine, milliseconds.
FAST_MS, SLOW_MS = 60_000, 240_000
#: JavaScript: points held by each trace of the curves.
COUNTS = """() => Object.fromEntries((document.querySelector('#curves')?.data ?? [])
  .map(trace => [trace.name, (trace.y ?? []).filter(v => v != null).length]))"""


def counts(page: Page) -> dict[str, int]:
    found: dict[str, int] = page.evaluate(COUNTS)
    return found


def wait_for_points(page: Page, least: dict[str, int], timeout_ms: float) -> None:
    page.wait_for_function(
        f"""least => {{
          const held = ({COUNTS})();
          return Object.entries(least).every(([name, n]) => (held[name] ?? 0) >= n);
        }}""",
        arg=least,
        timeout=timeout_ms,
    )


def test_curves_of_a_live_training_grow_in_a_browser(
    start_product: Callable[..., Any], browser: Browser, artifacts: Path
) -> None:
    product = start_product("demo")
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(product.url)
    page.get_by_role("link", name="demo").first.click(timeout=FAST_MS)

    wait_for_points(page, {"S.G": 3, "S.D": 3}, FAST_MS)
    early = counts(page)
    wait_for_points(page, {"Q": 2, "D": 2}, SLOW_MS)
    later = counts(page)

    assert later["S.G"] > early["S.G"]
    assert later["S.D"] > early["S.D"]
    page.wait_for_selector("img[src*='/samples/']", timeout=FAST_MS)
    page.screenshot(path=artifacts / "live.png")

    page.get_by_role("button", name="Stop the training…").click()
    page.get_by_role("button", name="Ask it to stop").click()
    expect(page.locator(".stopping")).to_contain_text("told to the trainer", timeout=FAST_MS)
    expect(page.locator(".run-head > .caption")).to_have_text("finished", timeout=FAST_MS)
    page.screenshot(path=artifacts / "stopped.png")
    assert errors == []
    assert product.interrupt() == 0
    assert not (product.home / "endpoint").exists()
