"""A training is asked to stop from its page, hears it, and is let go on again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.e2e.tabs import opened
from tests.e2e.turned import turn
from tests.server.laboratory import Laboratory
from trainer_hooks import Run, sender

pytestmark = pytest.mark.e2e

#: Longest wait for anything on the page, milliseconds, and of the trainer, seconds.
WAIT_MS, WAIT_S = 30_000, 10
REASON = "the <b>images</b> repeat"


@pytest.fixture
def training(
    store: Store, laboratory: Laboratory, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Page, Run]]:
    """A browser at a running run, whose heart beats fast."""
    monkeypatch.setattr(sender, "BEAT_INTERVAL_S", 0.05)
    run = turn(laboratory, "demo")
    with opened(browser, create_app(store)) as page:
        page.goto("/runs/demo")
        yield page, run


def until(run: Run, stop: bool) -> None:
    give_up_s = time.monotonic() + WAIT_S
    while run.should_stop() != stop:
        assert time.monotonic() < give_up_s, "the trainer does not hear"
        time.sleep(0.02)


def test_the_page_asks_twice_then_the_trainer_hears(
    training: tuple[Page, Run], artifacts: Path
) -> None:
    page, run = training
    button = page.get_by_role("button", name="Stop the training…")
    button.click(timeout=WAIT_MS)
    question = page.get_by_role("dialog", name="Stop the training")
    question.get_by_role("button", name="Cancel").click()
    expect(question).to_be_hidden()
    button.press("Enter")
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    assert not run.should_stop()

    button.click()
    question.get_by_label("Why").fill(REASON)
    page.screenshot(path=artifacts / "stop.png")
    question.get_by_label("Why").press("Enter")
    until(run, True)
    said = page.locator(".stopping")
    expect(said).to_contain_text(f"by page: “{REASON}”", timeout=WAIT_MS)
    expect(said).to_contain_text("told to the trainer", timeout=WAIT_MS)
    page.screenshot(path=artifacts / "stopping.png")

    said.get_by_role("button", name="Take back").click()
    until(run, False)
    expect(button).to_be_visible(timeout=WAIT_MS)
    expect(said).not_to_contain_text("asked")

    run.finish()
    expect(button).to_be_hidden(timeout=WAIT_MS)


def test_a_request_that_does_not_arrive_is_told(training: tuple[Page, Run]) -> None:
    page, run = training
    button = page.get_by_role("button", name="Stop the training…")
    button.click(timeout=WAIT_MS)
    page.route("**/stop", lambda route: route.abort())
    page.get_by_role("button", name="Ask it to stop").click()
    expect(page.get_by_role("alert")).to_have_text("Not sent: The server does not answer.")
    assert not run.should_stop()
