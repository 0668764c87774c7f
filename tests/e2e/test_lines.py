"""What is live stays live: many tabs on one line, and a page through every kind of outage."""

import contextlib
import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from tests.e2e.conftest import Product
from tests.e2e.wire import Wire
from tests.server.laboratory import Laboratory
from tests.server.listening import serving
from tests.server.mortal import MortalRedis

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

#: Longest wait for anything on a page, milliseconds.
WAIT_MS = 90_000
TABS = 10
#: JavaScript: steps of S.G that the figure holds.
STEPS = """() => document.querySelector('#curves')?.data
  ?.find(trace => trace.name === 'S.G')?.x ?? []"""
#: What has to be in view whatever happens.
TRUST = ("last point", "up to date", "queued", "dropped", "dead letter")
#: JavaScript: whether all of the bar is in view, none of its words cut off.
IN_VIEW = """bar => {
  const {top, bottom} = bar.getBoundingClientRect();
  const whole = ({scrollWidth, clientWidth}) => scrollWidth <= clientWidth;
  return top >= 0 && bottom <= innerHeight && whole(bar.querySelector("p"));
}"""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[MortalRedis]:
    """A Redis that may die."""
    server = MortalRedis(tmp_path)
    yield server
    server.close()


@pytest.fixture
def laboratory(redis: MortalRedis) -> Iterator[Laboratory]:
    """Makes runs there."""
    made = Laboratory(redis.store, redis.url)
    yield made
    made.close()


def steps(page: Page, expected: list[int]) -> None:
    """The figure holds these steps, each once."""
    page.wait_for_function(
        f"steps => JSON.stringify(({STEPS})()) === JSON.stringify(steps)",
        arg=expected,
        timeout=WAIT_MS,
    )


def state(page: Page, name: str) -> None:
    expect(page.locator("html")).to_have_attribute("data-state", name, timeout=WAIT_MS)


def test_ten_tabs_share_one_line(store: Store, embedded: EmbeddedRedis, browser: Browser) -> None:
    with (
        contextlib.closing(Laboratory(store, embedded.redis_url)) as laboratory,
        serving(create_app(store)) as client,
        contextlib.closing(browser.new_context(base_url=str(client.base_url))) as context,
    ):
        runs = {name: laboratory.start(name) for name in ("one", "two, & more", "three")}
        for run in runs.values():
            laboratory.weights(run, {"S.G": [0.001, 0.002]})
        paths = itertools.cycle([None, *runs])
        shown = [(context.new_page(), next(paths)) for _ in range(TABS)]
        for page, name in shown:
            page.goto("/" if name is None else f"/runs/{httpx.URL(path=name).raw_path.decode()}")
        for page, _ in shown:
            state(page, "live")
        wait_for_one_line(client)
        for run in runs.values():
            laboratory.weights(run, {"S.G": [0.003]}, steps=[3])
        for page, name in shown:
            if name is None:
                expect(page.locator(".cell-age .caption")).to_have_text(
                    ["step 3"] * 3, timeout=WAIT_MS
                )
            else:
                steps(page, [1, 2, 3])
        for page, _ in shown[1:]:
            page.close()
        page, _ = shown[0]
        laboratory.weights(runs["one"], {"S.G": [0.004]}, steps=[4])
        expect(page.get_by_text("step 4")).to_be_visible(timeout=WAIT_MS)
        wait_for_one_line(client)


def wait_for_one_line(client: httpx.Client) -> None:
    """The browser's streams become one; a stream that it replaced is counted until its end is
    noticed."""
    give_up_s = time.monotonic() + WAIT_MS / 1000
    while (count := lines(client)) != 1:
        assert time.monotonic() < give_up_s, f"{count} streams"
        time.sleep(0.1)


def lines(client: httpx.Client) -> int:
    """Event streams that the server counts."""
    found = re.search(r"^sqd_sse_clients (\S+)$", client.get("/metrics").text, re.M)
    assert found is not None
    return int(float(found.group(1)))


def test_a_page_misses_and_doubles_nothing_through_every_outage(
    redis: MortalRedis, laboratory: Laboratory, browser: Browser, tmp_path: Path, artifacts: Path
) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.001, 0.002]})
    (tmp_path / "home").mkdir()
    command = (tmp_path / "home", "server", "--redis-url", redis.url)
    server = Product(*command)
    wire = Wire(server.url)
    context = browser.new_context(base_url=wire.url, viewport={"width": 1400, "height": 900})
    errors: list[str] = []
    try:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto("/runs/demo")
        page.evaluate("window.neverLeft = true")
        state(page, "live")
        steps(page, [1, 2])

        with wire.cut():
            laboratory.weights(run, {"S.G": [0.003]}, steps=[3])
            state(page, "stale")
        steps(page, [1, 2, 3])
        state(page, "live")

        server.process.kill()
        server.close()
        laboratory.weights(run, {"S.G": [0.004]}, steps=[4])
        state(page, "stale")
        expect(page.locator(".trust")).to_contain_text("Not live since")
        expect(page.locator(".trust")).to_contain_text("last point")
        page.screenshot(path=artifacts / "disconnected.png")
        server = Product(*command)
        wire.lead_to(server.url)
        steps(page, [1, 2, 3, 4])
        state(page, "live")

        redis.kill()
        state(page, "stale")
        redis.start()
        laboratory.weights(run, {"S.G": [0.005]}, steps=[5])
        steps(page, [1, 2, 3, 4, 5])
        state(page, "live")
        assert page.evaluate("window.neverLeft") is True
    finally:
        context.close()
        wire.close()
        server.close()
    assert errors == []


@pytest.mark.parametrize("width", [1400, 390])
def test_what_can_be_trusted_is_always_in_view(
    store: Store, embedded: EmbeddedRedis, browser: Browser, artifacts: Path, width: int
) -> None:
    laboratory = Laboratory(store, embedded.redis_url)
    run = laboratory.start("demo", config={f"setting {i}": i for i in range(60)})
    laboratory.weights(run, {"S.G": [0.001, 0.002]})
    with serving(create_app(store)) as client:
        context = browser.new_context(
            base_url=str(client.base_url), viewport={"width": width, "height": 800}
        )
        page = context.new_page()
        page.goto("/runs/demo?open=config")
        steps(page, [1, 2])
        bar = page.locator(".trust")
        for end in ("0", "document.body.scrollHeight"):
            page.evaluate(f"scrollTo(0, {end})")
            for words in TRUST:
                expect(bar).to_contain_text(words, timeout=WAIT_MS)
            page.screenshot(path=artifacts / f"trust-{width}.png")
            assert bar.evaluate(IN_VIEW)
        assert page.evaluate("scrollY") > 0
        context.close()
    laboratory.close()
