"""No serious obstacle for people with disabilities on any view, in light and in dark (axe-core)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from tests.e2e.turned import collapse, turn
from tests.server.laboratory import Laboratory
from tests.server.listening import serving

pytestmark = pytest.mark.e2e

#: Longest wait for anything on the page, milliseconds.
WAIT_MS = 30_000
#: Where `make test` puts axe-core.
AXE = Path(__file__).parents[1] / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
#: What stops somebody, of axe's minor, moderate, serious and critical.
STOPPING = {"serious", "critical"}
#: JavaScript: what axe finds, in short.
FIND = """async () => (await axe.run()).violations.map(({id, impact, nodes}) =>
  ({id, impact, where: nodes.map(node => node.html.slice(0, 160)).slice(0, 5)}))"""
#: Runs; the first has turned.
TURNED, OTHER = "turned", "other, with a space"
#: Views: their address, and a text that is there once they are drawn.
VIEWS = {
    "list": ("/", TURNED),
    "empty": ("/?filter=nothing", "No run has “nothing”"),
    "run": (f"/runs/{TURNED}?open=config,epoch,companions", "mode collapse"),
    "compare": (f"/runs/{TURNED}?with={quote(OTHER)}", "curves"),
    "difference": (f"/runs/{TURNED}?with={quote(OTHER)}&difference=1", "subtracted"),
    "evidence": (f"/runs/{TURNED}?evidence=collapse%2F1", "6 of 8 modes"),
    "error": ("/runs/nobody", "No run"),
}


@pytest.fixture
def address(store: Store, embedded: EmbeddedRedis) -> Iterator[str]:
    """A server with two runs, one of which has turned."""
    laboratory = Laboratory(store, embedded.redis_url)
    turn(laboratory, OTHER, config={"lr": 1e-4})
    run = turn(laboratory, TURNED, tags=("seed 1",))
    laboratory.watched(TURNED, {"metrics": {}}, [collapse(run)])
    with serving(create_app(store)) as client:
        yield str(client.base_url)
    laboratory.close()


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core; missing is a failure where CI could have installed it."""
    if not AXE.exists():
        message = f"{AXE} is missing: npm install --prefix tests/dashboard (`make test` does)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return AXE.read_text()


def obstacles(page: Page, axe: str) -> list[Any]:
    page.evaluate(axe)
    found: list[Any] = page.evaluate(FIND)
    return [each for each in found if each["impact"] in STOPPING]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_no_view_has_a_serious_obstacle(
    address: str, browser: Browser, axe: str, artifacts: Path, theme: Any, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, base_url=address, color_scheme=theme
    )
    page = context.new_page()
    found = {}
    for name, (path, text) in VIEWS.items():
        page.goto(path)
        expect(page.locator("body")).to_contain_text(text, timeout=WAIT_MS)
        if path.startswith(f"/runs/{TURNED}"):
            page.wait_for_function("() => document.querySelector('#curves .main-svg')")
        found[name] = obstacles(page, axe)
        page.screenshot(path=artifacts / f"{name}-{theme}-{width}.png")
    page.goto(f"/runs/{TURNED}")
    page.get_by_role("button", name="Stop the training…").click(timeout=WAIT_MS)
    found["stop"] = obstacles(page, axe)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()
    found["help"] = obstacles(page, axe)
    context.close()
    assert {name: each for name, each in found.items() if each} == {}
