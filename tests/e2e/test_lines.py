"""What is live stays live: many tabs on one line, and a page through every kind of outage."""

import itertools
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from monitor.server.app import create_app
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from tests.server.laboratory import EPOCH_S, Laboratory
from tests.server.listening import serving
from tests.server.mortal import MortalRedis
from trainer_hooks import Run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

#: Longest wait for anything on a page, milliseconds.
WAIT_MS = 60_000
TABS = 10
#: JavaScript: steps of S.G that the figure holds.
STEPS = """() => document.querySelector('#curves')?.data
  ?.find(trace => trace.name === 'S.G')?.x ?? []"""


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
    laboratory = Laboratory(store, embedded.redis_url)
    runs = {name: laboratory.start(name) for name in ("one", "two, & more", "three")}
    for run in runs.values():
        laboratory.weights(run, {"S.G": [0.001, 0.002]})
    paths = itertools.cycle([None, *runs])
    with serving(create_app(store)) as client:
        context = browser.new_context(base_url=str(client.base_url))
        shown = [(context.new_page(), next(paths)) for _ in range(TABS)]
        for page, name in shown:
            page.goto("/" if name is None else f"/runs/{httpx.URL(path=name).raw_path.decode()}")
        for page, _ in shown:
            state(page, "live")
        assert lines(client) == 1
        for run in runs.values():
            laboratory.weights(run, {"S.G": [0.003]}, steps=[3])
        for page, name in shown:
            if name is None:
                expect(page.locator(".cell-age .caption")).to_have_text(["step 3"] * 3)
            else:
                steps(page, [1, 2, 3])
        for page, _ in shown[1:]:
            page.close()
        page, _ = shown[0]
        laboratory.weights(runs["one"], {"S.G": [0.004]}, steps=[4])
        expect(page.get_by_text("step 4")).to_be_visible(timeout=WAIT_MS)
        assert lines(client) == 1
        context.close()
    laboratory.close()


def lines(client: httpx.Client) -> int:
    """Event streams that the server counts."""
    found = re.search(r"^sqd_sse_clients (\S+)$", client.get("/metrics").text, re.M)
    assert found is not None
    return int(float(found.group(1)))
