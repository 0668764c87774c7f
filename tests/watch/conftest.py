"""A recorded training, and a queue to store it with."""

import pytest

from monitor.store.connection import Store
from monitor.store.jobs import JobQueue


@pytest.fixture
def queue(store: Store) -> JobQueue:
    """The jobs of a worker."""
    found = JobQueue(store, "worker")
    found.ensure_groups()
    return found
