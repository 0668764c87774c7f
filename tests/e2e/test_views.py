"""What a person does with the curves: zoom, smooth, save, compare, look into the layers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.e2e.tabs import opened
from tests.server.laboratory import Laboratory

pytestmark = pytest.mark.e2e

#: Longest wait for anything on the page, milliseconds.
WAIT_MS = 30_000
#: Steps of the long run: more than the page holds of a curve; where its one spike is.
STEPS, SPIKE = 6000, 4321
#: A name that must stay text wherever it stands.
HOSTILE = "<img src=x onerror=document.title='owned'>, b"
#: JavaScript: steps of S.G that the figure holds between two steps.
HELD = """([from, to]) => document.querySelector('#curves').data
  .find(trace => trace.name === 'S.G').x.filter(x => x >= from && x <= to)"""


@pytest.fixture
def page(
    store: Store, laboratory: Laboratory, browser: Browser
) -> Iterator[tuple[Page, list[str]]]:
    """A browser at a server with two runs, and the series that it asks for."""
    for name, steps in (("long", STEPS), (HOSTILE, 40)):
        values = [0.002 + 0.0001 * (step % 7) for step in range(1, steps + 1)]
        values[min(steps, SPIKE) - 1] = 0.5
        metrics = {"S.G": values, "S.D": values, "S.G/main.0.weight": values}
        laboratory.weights(laboratory.start(name), metrics)
    asked: list[str] = []

    def hear(request: Request) -> None:
        if "/series?" in request.url:
            asked.append(request.url)

    with opened(browser, create_app(store)) as tab:
        tab.on("request", hear)
        yield tab, asked


def wait_for(page: Page, expression: str, argument: Any = None) -> None:
    page.wait_for_function(expression, arg=argument, timeout=WAIT_MS)


def open_long(page: Page, query: str = "") -> None:
    page.goto(f"/runs/long{query}")
    wait_for(page, "() => document.querySelector('#curves')?.data?.some(t => t.x.length > 1000)")


def test_a_zoom_shows_every_step_and_asks_once(page: tuple[Page, list[str]]) -> None:
    tab, asked = page
    open_long(tab)
    stretch = [SPIKE - 20, SPIKE + 20]
    assert len(tab.evaluate(HELD, stretch)) < 41
    expect(tab.locator(".trust")).to_contain_text("Live", timeout=WAIT_MS)
    asked.clear()
    figure = tab.locator("#curves").bounding_box()
    assert figure is not None
    with tab.expect_request("**/series?**", timeout=WAIT_MS):
        for offset, act in ((500, tab.mouse.down), (620, tab.mouse.up)):
            tab.mouse.move(figure["x"] + offset, figure["y"] + 100, steps=4)
            act()
    wait_for(tab, "() => location.search.startsWith('?range=')")
    assert len(asked) == 1
    assert "&from=" in asked[0]
    open_long(tab, f"?range={stretch[0]}..{stretch[1]}")
    wait_for(tab, f"stretch => ({HELD})(stretch).length === 41", stretch)
    tab.keyboard.press("f")
    wait_for(tab, f"stretch => ({HELD})(stretch).length < 41", stretch)


def test_smoothing_keeps_the_raw_curve(page: tuple[Page, list[str]], artifacts: Path) -> None:
    tab, _ = page
    open_long(tab)
    tab.get_by_role("group", name="Smoothing").get_by_role("button", name="5%").click()
    wait_for(tab, "() => document.querySelector('#curves').data.some(t => t.name === 'S.G mean')")
    wait_for(tab, "() => location.search === '?smooth=5'")
    highest = "name => Math.max(...document.querySelector('#curves').data"
    highest += ".find(t => t.name === name).y)"
    assert tab.evaluate(highest, "S.G") == 0.5
    assert tab.evaluate(highest, "S.G mean") < 0.01
    tab.screenshot(path=artifacts / "smooth.png")


def test_what_is_shown_can_be_saved(page: tuple[Page, list[str]], tmp_path: Path) -> None:
    tab, _ = page
    open_long(tab, f"?range={SPIKE - 20}..{SPIKE + 20}")
    wait_for(tab, f"stretch => ({HELD})(stretch).length === 41", [SPIKE - 20, SPIKE + 20])
    tab.locator(".menu summary").press("Enter")
    starts = {
        "CSV of the points shown": b"metric,step,epoch,time,value,stderr,n,status\r\n",
        "CSV of all points in view": b"metric,step,epoch,time,value,stderr,n,status\r\n",
        "Stability as PNG": b"\x89PNG",
        "Stability as SVG": b"<svg",
    }
    for name, start in starts.items():
        with tab.expect_download(timeout=WAIT_MS) as saved:
            tab.locator(".menu-body").get_by_label(name).or_(tab.get_by_text(name)).click()
        target = tmp_path / "saved"
        saved.value.save_as(target)
        content = target.read_bytes()
        assert content.startswith(start), name
        if name.startswith("CSV"):
            rows = content.decode().splitlines()[1:]
            assert len(rows) == 2 * 41, name
            assert [row.split(",")[4] for row in rows if f",{SPIKE}," in row] == ["0.5", "0.5"]


def test_runs_are_ticked_and_compared(page: tuple[Page, list[str]], artifacts: Path) -> None:
    tab, _ = page
    tab.goto("/")
    for name in ("long", HOSTILE):
        tab.get_by_role("checkbox", name=f"Compare {name}", exact=True).check(timeout=WAIT_MS)
    tab.keyboard.press("c")
    legend = tab.get_by_role("list", name="Compared runs")
    expect(legend).to_contain_text(HOSTILE, timeout=WAIT_MS)
    wait_for(
        tab, "() => document.querySelector('#curves')?.data?.filter(t => t.x.length).length > 3"
    )
    heads = tab.locator(".panel-head h2")
    expect(heads.first).to_have_text("S.G Stability", timeout=WAIT_MS)
    assert tab.locator("img[src=x]").count() == 0
    tab.screenshot(path=artifacts / "compare.png")
    shared = tab.url
    legend.get_by_role("button", name=f"Take out {HOSTILE}").click()
    expect(heads.first).to_have_text("S Stability", timeout=WAIT_MS)
    tab.goto(shared)
    expect(legend).to_contain_text("long", timeout=WAIT_MS)


def test_layers_are_fetched_when_opened(page: tuple[Page, list[str]], artifacts: Path) -> None:
    tab, asked = page
    open_long(tab)
    assert not any("main.0.weight" in url for url in asked)
    tab.get_by_role("button", name="S per layer").click()
    drawn = tab.get_by_role("img", name=re.compile(r"^S of 1 layer, 0.002\d* to 0.500 rad$"))
    expect(drawn).to_be_visible(timeout=WAIT_MS)
    assert any("main.0.weight" in url for url in asked)
    tab.screenshot(path=artifacts / "layers.png")


def test_compared_runs_become_a_difference(page: tuple[Page, list[str]], artifacts: Path) -> None:
    tab, _ = page
    tab.goto(f"/runs/long?with={quote(HOSTILE)}&x=time")
    how = tab.get_by_role("group", name="Compared as")
    how.get_by_role("button", name="difference").click(timeout=WAIT_MS)
    tab.wait_for_url("**/runs/long?difference=1&with=*", timeout=WAIT_MS)
    expect(tab.get_by_role("button", name="time", exact=True)).to_be_disabled()
    start = json.dumps(f"{HOSTILE} − long")
    values = f"document.querySelector('#curves')?.data?.find(t => t.name?.startsWith({start}))"
    # step 40 has the short run's spike of 0.5, and 0.0025 in the long one
    wait_for(tab, f"() => {values}?.y.at(-1) > 0.49")
    assert tab.evaluate(f"{values}.x.at(-1)") == 40
    assert abs(tab.evaluate(f"{values}.y.at(-1)") - (0.5 - 0.0025)) < 1e-9
    assert abs(tab.evaluate(f"{values}.y[0]")) < 1e-12
    expect(tab.get_by_role("list", name="Compared runs")).to_contain_text("subtracted")
    assert tab.locator("img[src=x]").count() == 0
    tab.screenshot(path=artifacts / "difference.png")
    tab.keyboard.press("d")
    tab.wait_for_url("**/runs/long?with=*", timeout=WAIT_MS)
    expect(tab.get_by_role("button", name="time", exact=True)).to_be_enabled()
