"""A real browser before a server with tokens, and names that would like to be more than names."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.e2e.tabs import opened
from tests.server.laboratory import Laboratory, alert

pytestmark = pytest.mark.e2e

TOKEN, READ_TOKEN = "correct horse", "only looking"
#: Longest wait for anything on the page, milliseconds.
WAIT_MS = 30_000
#: Runs itself as soon as somebody takes it for HTML.
HOSTILE = "<img src=x onerror=document.body.dataset.owned=1>"


@pytest.fixture
def page(store: Store, laboratory: Laboratory, browser: Browser) -> Iterator[Page]:
    """A browser that is not logged in; every name that a trainer chooses is hostile."""
    run = laboratory.start(HOSTILE, tags=(HOSTILE,), config={HOSTILE: HOSTILE})
    run.push_weights(1, {HOSTILE: {HOSTILE: [1.0, 2.0]}})
    layers = {"S.G": [0.1] * 5, f"S.G/{HOSTILE}": [0.1] * 5, HOSTILE: [1.0] * 5}
    laboratory.weights(run, layers)
    laboratory.watched(run.id, {"metrics": {}}, [alert(run.id, HOSTILE, 3)])
    with opened(browser, create_app(store, token=TOKEN, read_token=READ_TOKEN)) as tab:
        yield tab


def log_in(tab: Page, token: str) -> None:
    tab.get_by_label("Token").fill(token)
    tab.get_by_role("button", name="Open").click()


def assert_only_names(tab: Page) -> None:
    assert tab.locator("img[src=x]").count() == 0
    assert tab.evaluate("document.body.dataset.owned") is None


def test_login_leads_back_and_logout_ends_it(page: Page, artifacts: Path) -> None:
    wanted = f"/runs/{quote(HOSTILE, safe='')}?x=epoch"
    page.goto(wanted)
    page.wait_for_url("**/login?next=*", timeout=WAIT_MS)
    page.screenshot(path=artifacts / "login.png")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{background} !== {light!r}")
    page.emulate_media(color_scheme="light")
    log_in(page, "guess")
    expect(page.get_by_role("status")).to_have_text("the token is wrong", timeout=WAIT_MS)
    log_in(page, READ_TOKEN)
    expect(page.locator(".panel-head h2").first).to_be_visible(timeout=WAIT_MS)
    assert page.url.endswith(wanted)
    assert TOKEN not in page.url
    refused = page.evaluate(
        "fetch('/api/runs/' + location.pathname.slice(6), {method: 'DELETE'}).then(a => a.status)"
    )
    assert refused == 403
    assert page.evaluate("document.cookie") == ""

    # What the token may not do is not offered.
    expect(page.get_by_text("read only")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".alerts li").first).to_be_visible(timeout=WAIT_MS)
    for name in ("Acknowledge", "Mute for an hour", "Resolve", "Stop the training…"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    for scheme, width in (("light", 1400), ("dark", 1400), ("dark", 390)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=artifacts / f"read-only-{scheme}-{width}.png")

    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login?next=*", timeout=WAIT_MS)
    log_in(page, READ_TOKEN)
    expect(page.get_by_text("read only")).to_be_visible(timeout=WAIT_MS)
    page.goto("/login")
    expect(page.get_by_role("heading", name="Logged in")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Token needed")).to_be_visible(timeout=WAIT_MS)
    page.goto("/")
    page.wait_for_url("**/login?next=*", timeout=WAIT_MS)


def test_names_are_text_wherever_they_stand(page: Page, artifacts: Path) -> None:
    page.goto("/login")
    log_in(page, TOKEN)
    expect(page.get_by_role("link", name=HOSTILE).first).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_role("button", name="Log out")).to_be_visible(timeout=WAIT_MS)
    assert_only_names(page)
    page.get_by_role("link", name=HOSTILE).first.click()
    expect(page.locator(".panel-head h2").first).to_be_visible(timeout=WAIT_MS)
    for name in ("Acknowledge", "Stop the training…"):
        expect(page.get_by_role("button", name=name)).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_text("read only")).to_be_hidden()
    page.get_by_role("button", name="S per layer").click()
    expect(page.get_by_role("img", name="S of 1 layer")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Losses and scalars").click()
    # A panel is headed by what its names have in common, up to the dot.
    head = page.locator(".panel-head h2").filter(has_text=HOSTILE.partition(".")[0])
    expect(head).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Configuration").click()
    expect(page.locator("section.details")).to_contain_text(HOSTILE, timeout=WAIT_MS)
    assert_only_names(page)
    page.screenshot(path=artifacts / "hostile.png", full_page=True)
