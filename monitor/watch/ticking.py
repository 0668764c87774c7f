"""The rhythm of the threads that watch and tell: look, wait, and sit out an outage of Redis."""

import logging
import threading
from collections.abc import Callable

from monitor.errors import StoreError

#: How often it is looked for something new, seconds.
TICK_S = 0.5

log = logging.getLogger(__name__)


def tick_until(stopping: threading.Event, tick: Callable[[], None], name: str) -> None:
    """Call `tick` every TICK_S until `stopping` is set, whatever it raises.

    Args:
        stopping: set by another thread.
        tick: looks once.
        name: of what ticks, for the log; an outage is told once.
    """
    away = False
    while not stopping.wait(TICK_S):
        try:
            tick()
            away = False
        except StoreError as error:
            if not away:
                log.warning("%s waits: %s", name, error)
            away = True
        except Exception:
            log.exception("%s stumbled and goes on", name)
