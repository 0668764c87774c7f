"""The server over a real Redis, and what it shows."""

from collections.abc import Iterator

import httpx
import pytest

from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.server.listening import serving


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    """Of a server without a token."""
    with serving(create_app(store)) as found:
        yield found
