"""What a person sees of a turning point: its evidence, opened by pointer, by key, by address."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.e2e.tabs import opened
from tests.e2e.turned import LABEL, collapse, turn
from tests.server.laboratory import Laboratory, alert

pytestmark = pytest.mark.e2e

#: Longest wait for anything on the page, milliseconds.
WAIT_MS = 30_000
#: JavaScript: names of what is drawn around the turning point.
TRACES = "() => (document.querySelector('#evidence-curves').data ?? []).map(t => t.name)"


@pytest.fixture
def page(store: Store, laboratory: Laboratory, browser: Browser) -> Iterator[Page]:
    """A browser at a run that has turned."""
    run = turn(laboratory, "turned")
    early = alert("turned", "diversity", 30)
    laboratory.watched("turned", {"metrics": {}}, [early, collapse(run)])
    with opened(browser, create_app(store)) as tab:
        yield tab


def window(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Evidence of a turning point")


def test_a_mark_opens_images_curves_and_vanished_modes(page: Page, artifacts: Path) -> None:
    page.goto("/runs/turned")
    page.get_by_role("button", name="mode collapse at step 120: evidence").click(timeout=WAIT_MS)
    evidence = window(page)
    expect(evidence).to_contain_text("since step 120 · noticed at 140")
    for step in ("110", "120", "140"):
        image = evidence.get_by_role("img", name=f"Generated images at step {step}", exact=True)
        expect(image).to_be_visible(timeout=WAIT_MS)
    expect(evidence.locator("figcaption").first).to_contain_text("D 2.00", timeout=WAIT_MS)
    expect(evidence.locator("figcaption").last).to_contain_text("D 1.00")
    modes = evidence.get_by_role("region", name="Modes that vanished")
    expect(modes).to_contain_text("6 of 8 modes seen before did not come; 75%", timeout=WAIT_MS)
    expect(modes.get_by_role("listitem").first).to_have_text(f"{LABEL} 2 10×")
    page.wait_for_function(f"() => ({TRACES})().filter(n => n === 'expected').length === 4")
    expect(evidence).to_contain_text("the median of steps 20 to 120 (10 batches)")
    page.screenshot(path=artifacts / "evidence.png")


def test_keys_open_it_walk_and_close_it(page: Page) -> None:
    page.goto("/runs/turned")
    expect(page.locator(".alerts li")).to_have_count(2, timeout=WAIT_MS)
    page.keyboard.press("e")
    evidence = window(page)
    expect(evidence).to_contain_text("mode collapse")
    page.wait_for_url("**/runs/turned?evidence=collapse%2F1", timeout=WAIT_MS)
    page.keyboard.press("ArrowLeft")
    expect(evidence).to_contain_text("since step 30")
    expect(evidence.get_by_role("button", name="Earlier turning point")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    expect(evidence).to_contain_text("since step 120")
    page.keyboard.press("Escape")
    expect(evidence).to_be_hidden()
    page.wait_for_url("**/runs/turned", timeout=WAIT_MS)

    row = page.locator(".alerts").get_by_role("button", name="mode collapse")
    row.press("Enter")
    expect(evidence).to_be_visible()
    evidence.get_by_role("button", name="Close").press("Enter")
    expect(row).to_be_focused()


def test_the_address_opens_it_and_it_leads_to_the_curves(page: Page) -> None:
    page.goto("/runs/turned?evidence=collapse%2F1")
    evidence = window(page)
    expect(evidence).to_contain_text("D fell from 2.0 to 1.0", timeout=WAIT_MS)
    evidence.get_by_role("button", name="Show in the run").click()
    expect(evidence).to_be_hidden()
    page.wait_for_url("**/runs/turned?step=120&range=*", timeout=WAIT_MS)

    page.goto("/runs/turned?evidence=gone")
    expect(evidence).to_contain_text("No such turning point", timeout=WAIT_MS)
    page.keyboard.press("Escape")
    expect(evidence).to_be_hidden()
