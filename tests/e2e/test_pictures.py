"""What a person does with the images: scrub, hold one batch beside another, read its modes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.e2e.tabs import opened
from tests.e2e.turned import BATCHES, SPACING, turn
from tests.server.laboratory import Laboratory

pytestmark = pytest.mark.e2e

#: Longest wait for anything on the page, milliseconds.
WAIT_MS = 30_000
#: The newest batch, and one of before the turn.
NEWEST, EARLY = (BATCHES - 1) * SPACING, 50


@pytest.fixture(params=[1400, 390], ids=["wide", "narrow"])
def page(
    request: pytest.FixtureRequest, store: Store, laboratory: Laboratory, browser: Browser
) -> Iterator[Page]:
    """A browser at a run whose modes have gone."""
    turn(laboratory, "turned")
    with opened(browser, create_app(store), width=request.param) as tab:
        yield tab


def samples(page: Page) -> Locator:
    return page.get_by_role("region", name="Samples")


def grid(page: Page, step: int) -> Locator:
    return samples(page).get_by_role("img", name=f"Generated images at step {step}", exact=True)


def beside(page: Page, step: int) -> Locator:
    return (
        samples(page)
        .get_by_role("figure", name=f"step {step}")
        .and_(page.locator("figure:has(img:not([hidden]))"))
    )


def test_every_batch_can_be_scrubbed_to_with_its_modes(page: Page) -> None:
    page.goto("/runs/turned")
    expect(grid(page, NEWEST)).to_be_visible(timeout=WAIT_MS)
    modes = page.get_by_role("region", name="Modes")
    expect(modes).to_contain_text("6 of 8 unseen · n = 80", timeout=WAIT_MS)
    slider = samples(page).get_by_role("slider", name="Step of the image grid")
    slider.press("Home")
    expect(grid(page, 0)).to_be_visible(timeout=WAIT_MS)
    expect(modes).to_contain_text("0 of 8 unseen", timeout=WAIT_MS)
    samples(page).get_by_role("button", name="Later batch").press("Enter")
    expect(grid(page, SPACING)).to_be_visible(timeout=WAIT_MS)
    page.wait_for_url(f"**/runs/turned?step={SPACING}", timeout=WAIT_MS)
    samples(page).get_by_role("button", name="newest").press("Enter")
    expect(grid(page, NEWEST)).to_be_visible(timeout=WAIT_MS)


def test_a_batch_is_held_beside_another(page: Page, artifacts: Path) -> None:
    page.goto(f"/runs/turned?step={EARLY}")
    expect(grid(page, EARLY)).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("s")
    hold = samples(page).get_by_role("button", name="side by side")
    expect(hold).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    for step in (EARLY, EARLY + SPACING):
        expect(beside(page, step)).to_be_visible(timeout=WAIT_MS)
    page.wait_for_url(f"**/runs/turned?step={EARLY + SPACING}&beside={EARLY}", timeout=WAIT_MS)
    boxes = [beside(page, step).bounding_box() for step in (EARLY, EARLY + SPACING)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    page.screenshot(path=artifacts / f"beside-{page.viewport_size['width']}.png")  # type: ignore[index]

    page.goto(f"/runs/turned?beside={EARLY}")
    for step in (EARLY, NEWEST):
        expect(beside(page, step)).to_be_visible(timeout=WAIT_MS)
    page.keyboard.press("s")
    expect(grid(page, EARLY)).to_be_hidden()
    expect(grid(page, NEWEST)).to_be_visible()
    page.wait_for_url("**/runs/turned", timeout=WAIT_MS)
