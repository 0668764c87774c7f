"""What a person does with the images: scrub, hold one batch beside another, read its modes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.e2e.tabs import opened
from tests.e2e.turned import BATCHES, SPACING, histogram, picture, turn
from tests.server.laboratory import Laboratory
from trainer_hooks import Run

pytestmark = pytest.mark.e2e

#: Longest wait for anything on the page, milliseconds.
WAIT_MS = 30_000
#: The newest batch, and one of before the turn.
NEWEST, EARLY = (BATCHES - 1) * SPACING, 50


@pytest.fixture
def run(laboratory: Laboratory) -> Run:
    """A run whose modes have gone."""
    return turn(laboratory, "turned")


@pytest.fixture(params=[1400, 390], ids=["wide", "narrow"])
def page(
    request: pytest.FixtureRequest, store: Store, run: Run, browser: Browser
) -> Iterator[Page]:
    """A browser at it."""
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


def test_step_that_comes_again_shows_its_new_picture(
    page: Page, laboratory: Laboratory, run: Run
) -> None:
    page.goto(f"/runs/turned?step={EARLY}")
    expect(grid(page, EARLY)).to_be_visible(timeout=WAIT_MS)
    before = grid(page, EARLY).get_attribute("src")
    for step in (EARLY - SPACING, EARLY):
        laboratory.samples(run, step, {"Q": [0.9], "D": [2.0]}, grid=picture(99))
    expect(grid(page, EARLY)).to_have_attribute("src", re.compile("take=1"), timeout=WAIT_MS)
    assert before is not None
    assert "take" not in before
    # What came after it the first time is of a past undone.
    expect(samples(page)).to_contain_text("newest")
    expect(grid(page, NEWEST)).to_be_hidden()


def test_modes_that_did_not_come_are_asked_for_again(
    page: Page, laboratory: Laboratory, run: Run
) -> None:
    page.route("**/modes/*", lambda route: route.abort())
    page.goto("/runs/turned")
    modes = page.get_by_role("region", name="Modes")
    expect(modes).to_contain_text("does not answer", timeout=WAIT_MS)
    page.unroute("**/modes/*")
    later = NEWEST + 1
    laboratory.weights(run, {"S.G": [0.002], "S.D": [0.002]}, steps=[later])
    expect(modes).to_contain_text("6 of 8 unseen · n = 80", timeout=WAIT_MS)


def test_batches_of_points_have_modes_and_no_picture(page: Page, laboratory: Laboratory) -> None:
    points = laboratory.start("points")
    laboratory.weights(points, {"S.G": [0.002] * 9})
    for step, fallen in ((1, False), (5, True)):
        laboratory.samples(points, step, {"D": [2.0]}, modes=histogram(fallen))
    page.goto("/runs/points")
    modes = page.get_by_role("region", name="Modes")
    expect(modes).to_contain_text("6 of 8 unseen · n = 80", timeout=WAIT_MS)
    expect(samples(page)).to_contain_text("No image grid yet")
