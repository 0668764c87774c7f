"""What a person does in the list of runs: filter, sort, walk by keys, come back by the address."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from monitor.turning.detector import TurningPointDetector
from tests.e2e.tabs import opened
from tests.server.laboratory import Laboratory

pytestmark = pytest.mark.e2e

#: Longest wait for anything on the page, milliseconds.
WAIT_MS = 30_000
#: Runs as they are started, with their tag, Q and D.
RUNS = {"run-9": ("gp", 0.9, 3.0), "run-10": ("plain", 0.2, 1.0), "run-2": ("plain", 0.5, 4.0)}


def fallen() -> dict[str, Any]:
    """What the detector says once Q has fallen."""
    detector = TurningPointDetector()
    for step in range(80):
        detector.update(step, {"Q": 0.9 if step < 60 else 0.2})
    return detector.summary()


@pytest.fixture
def page(store: Store, laboratory: Laboratory, browser: Browser) -> Iterator[Page]:
    """A browser at a server with three runs, one of which gets worse."""
    for name, (tag, quality, diversity) in RUNS.items():
        run = laboratory.start(name, tags=(tag,))
        laboratory.weights(run, {"S.G": [0.002, 0.003], "S.D": [0.001, 0.002]})
        laboratory.samples(run, 3, {"Q": [quality], "D": [diversity]})
    laboratory.watched("run-10", fallen())
    with opened(browser, create_app(store), height=700) as tab:
        yield tab


def expect_rows(page: Page, *names: str) -> None:
    expect(page.locator(".runs h2")).to_have_text(list(names), timeout=WAIT_MS)


def test_runs_are_sorted_and_the_address_says_how(page: Page, artifacts: Path) -> None:
    page.goto("/")
    expect_rows(page, "run-2", "run-10", "run-9")
    sort = page.get_by_role("combobox", name="Sort runs")
    sorted_by = {
        "by name": ("run-2", "run-9", "run-10"),
        "lowest Q first": ("run-10", "run-2", "run-9"),
        "lowest D first": ("run-10", "run-9", "run-2"),
        "most urgent first": ("run-10", "run-2", "run-9"),
    }
    for name, rows in sorted_by.items():
        sort.select_option(name)
        expect_rows(page, *rows)
    page.wait_for_url("**/?sort=state", timeout=WAIT_MS)
    page.screenshot(path=artifacts / "sorted.png")
    page.reload()
    expect_rows(page, *sorted_by["most urgent first"])
    sort.select_option("newest first")
    page.wait_for_url(lambda url: url.endswith("/"), timeout=WAIT_MS)


def test_runs_are_filtered_by_tag_name_and_state(page: Page) -> None:
    page.goto("/?sort=name")
    expect_rows(page, "run-2", "run-9", "run-10")
    page.keyboard.press("/")
    for text, rows in {
        "plain": ("run-2", "run-10"),
        "run-9": ("run-9",),
        "warning": ("run-10",),
        "plain running": ("run-2", "run-10"),
    }.items():
        page.get_by_role("searchbox", name="Filter runs").fill(text)
        expect_rows(page, *rows)
    page.wait_for_url("**/?filter=plain+running&sort=name", timeout=WAIT_MS)
    page.reload()
    expect_rows(page, "run-2", "run-10")


def test_keys_walk_the_list_and_open_a_run(page: Page) -> None:
    page.goto("/?sort=name")
    expect_rows(page, "run-2", "run-9", "run-10")
    for _ in range(2):
        page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/run-9", timeout=WAIT_MS)
    expect(page.get_by_role("heading", name="run-9")).to_be_visible(timeout=WAIT_MS)
