"""What the examples' trainers send."""

import pytest

from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from tests.trainer_hooks.mail import Mail


@pytest.fixture
def mail(store: Store, embedded: EmbeddedRedis) -> Mail:
    """The emptied store, and the frames that arrive there."""
    return Mail(store, embedded.redis_url)
