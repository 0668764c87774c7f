"""Fixtures that all tests share: a real Redis 6.2, as the product starts it, and runs in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from monitor.store.jobs import JobQueue
from tests.alerts.mailboxes import MailServer, Silence, Webhook, opened
from tests.server.laboratory import Laboratory
from trainer_hooks import keys

# Time decides no test; the same examples every time.
settings.register_profile("sqd", deadline=None, derandomize=True)
settings.load_profile("sqd")

#: Variables of the user's that would change what a test sees, without their prefix.
OWN_VARIABLES = (
    "REDIS_URL", "BLOB_URL", "RUN", "MODE", "TOKEN", "READ_TOKEN", "HOST", "PORT",
    "NOTIFY", "RULES", "PUBLIC_URL",
)  # fmt: skip


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """Both embedded servers, once for all tests."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("home"))
    yield server
    server.close()


@pytest.fixture
def store(embedded: EmbeddedRedis) -> Store:
    """The embedded servers, emptied."""
    embedded.store.data.flushall()
    embedded.store.blobs.flushall()
    embedded.store.data.set(keys.BLOB_URL, embedded.blob_url)
    return embedded.store


@pytest.fixture
def queue(store: Store) -> JobQueue:
    """The jobs of a worker called `one`."""
    found = JobQueue(store, "one")
    found.ensure_groups()
    return found


@pytest.fixture
def any_image() -> NDArray[Any]:
    """A chunk of one grey image."""
    return np.zeros((1, 1, 16, 16), np.uint8)


@pytest.fixture
def laboratory(store: Store, embedded: EmbeddedRedis) -> Iterator[Laboratory]:
    """Makes runs in the emptied store."""
    maker = Laboratory(store, embedded.redis_url)
    yield maker
    maker.close()


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets the user's own settings or running product."""
    for name in OWN_VARIABLES:
        monkeypatch.delenv(f"SQD_{name}", raising=False)
    monkeypatch.setenv("SQD_HOME", str(tmp_path / "sqd-home"))


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook that takes what comes."""
    with opened(Webhook()) as box:
        yield box


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server that takes what comes."""
    with opened(MailServer()) as box:
        yield box


@pytest.fixture
def silence() -> Iterator[Silence]:
    """A server that never answers."""
    with opened(Silence()) as box:
        yield box
