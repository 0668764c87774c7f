"""A server with a token, and what it shows."""

from collections.abc import Iterator

import pytest

from monitor.client import Client
from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.server.listening import serving

TOKEN, READ_TOKEN = "correct horse ✓", "only looking"


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    """Of the server."""
    with serving(create_app(store, token=TOKEN, read_token=READ_TOKEN)) as found:
        yield str(found.base_url)


@pytest.fixture
def client(address: str) -> Client:
    """May do everything."""
    return Client(address, TOKEN)
