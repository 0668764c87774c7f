"""What a person says to alerts in the page reaches the store and every other page."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.server.app import create_app
from monitor.store.alerts import read_alerts
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from tests.e2e.conftest import ARTIFACTS
from tests.server.laboratory import Laboratory, alert
from tests.server.listening import serving
from trainer_hooks import keys

pytestmark = pytest.mark.e2e

#: Longest wait for anything on the page, milliseconds.
WAIT_MS = 30_000


@pytest.fixture
def pages(store: Store, embedded: EmbeddedRedis, browser: Browser) -> Iterator[tuple[Page, Page]]:
    """Two browsers at a run with two alerts."""
    laboratory = Laboratory(store, embedded.redis_url)
    laboratory.weights(laboratory.start("demo"), {"S.G": [0.01] * 60})
    raised = [alert("demo", "worker_behind", 20), alert("demo", "rule", 40, severity="critical")]
    laboratory.watched("demo", {"metrics": {}}, raised)
    with serving(create_app(store)) as client:
        contexts = [
            browser.new_context(
                viewport={"width": 1400, "height": 1100}, base_url=str(client.base_url)
            )
            for _ in range(2)
        ]
        first, second = (context.new_page() for context in contexts)
        for each in (first, second):
            each.goto("/runs/demo")
        yield first, second
        for context in contexts:
            context.close()
    laboratory.close()


def marks(store: Store, kind: str) -> dict[str, Any]:
    (found,) = [each for each in read_alerts(store, "demo") if each["kind"] == kind]
    return found


def test_alerts_are_acknowledged_muted_and_resolved(store: Store, pages: tuple[Page, Page]) -> None:
    mine, others = pages
    rule, behind = (mine.locator(".alerts li").nth(number) for number in (0, 1))
    expect(rule).to_contain_text("D fell at step 40.", timeout=WAIT_MS)
    ARTIFACTS.mkdir(exist_ok=True)
    mine.screenshot(path=ARTIFACTS / "alerts.png")
    rule.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(rule).to_contain_text("acknowledged", timeout=WAIT_MS)
    expect(rule.get_by_role("button", name="Acknowledge", exact=True)).to_have_count(0)
    assert marks(store, "rule")["acknowledged"] is not None
    rule.get_by_role("button", name="Mute for an hour", exact=True).click()
    expect(rule).to_contain_text("muted until", timeout=WAIT_MS)
    rule.get_by_role("button", name="Unmute", exact=True).click()
    expect(rule).not_to_contain_text("muted until", timeout=WAIT_MS)
    assert marks(store, "rule")["muted_until"] is None
    behind.get_by_role("button", name="Resolve", exact=True).click()
    expect(behind).to_contain_text("resolved", timeout=WAIT_MS)
    expect(behind.get_by_role("button", name="Resolve", exact=True)).to_have_count(0)
    # The other page has heard of it without being told to look.
    expect(others.locator(".alerts li").nth(0)).to_contain_text("acknowledged", timeout=WAIT_MS)
    expect(others.locator(".alerts li").nth(1)).to_contain_text("resolved", timeout=WAIT_MS)
    mine.screenshot(path=ARTIFACTS / "alerts-said.png")


def test_refusal_is_shown(store: Store, pages: tuple[Page, Page]) -> None:
    page, _ = pages
    expect(page.locator(".alerts li")).to_have_count(2, timeout=WAIT_MS)
    store.data.delete(keys.alerts("demo"))
    page.locator(".alerts li").nth(0).get_by_role("button", name="Resolve", exact=True).click()
    said = page.locator(".alerts [role=status]")
    expect(said).to_have_text("run 'demo' has no alert 'rule-40'", timeout=WAIT_MS)
