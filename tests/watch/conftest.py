"""A recorded training, and a queue to store it with."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.store.connection import Store
from monitor.store.jobs import JobQueue


@pytest.fixture
def queue(store: Store) -> JobQueue:
    """The jobs of a worker."""
    found = JobQueue(store, "worker")
    found.ensure_groups()
    return found


@pytest.fixture
def any_image() -> NDArray[Any]:
    """A chunk of one grey image."""
    return np.zeros((1, 1, 16, 16), np.uint8)
