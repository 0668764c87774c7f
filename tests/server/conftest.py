"""The server over a real Redis, and what it shows."""

from collections.abc import Iterator

import httpx
import pytest

from monitor.server.app import create_app
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from tests.server.laboratory import Laboratory
from tests.server.listening import serving


@pytest.fixture
def laboratory(store: Store, embedded: EmbeddedRedis) -> Iterator[Laboratory]:
    """Makes runs in the emptied store."""
    maker = Laboratory(store, embedded.redis_url)
    yield maker
    maker.close()


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    """Of a server without a token."""
    with serving(create_app(store)) as found:
        yield found
