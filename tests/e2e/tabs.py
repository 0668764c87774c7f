"""Tabs of a real browser at a server of the test's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from playwright.sync_api import Browser, Page

from tests.server.listening import serving


@contextmanager
def opened(
    browser: Browser, app: FastAPI, *, width: int = 1400, height: int = 900
) -> Iterator[Page]:
    """A tab whose addresses are the app's; what its scripts raise fails the test at the end."""
    errors: list[str] = []
    with serving(app) as client:
        context = browser.new_context(
            viewport={"width": width, "height": height}, base_url=str(client.base_url)
        )
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        context.close()
    assert errors == []
