"""Is this host's worker alive? `python -m monitor.worker.health` for a container's health check."""

import socket
import sys

from monitor.config import load_settings
from monitor.errors import MonitorError
from monitor.store.connection import open_store
from monitor.store.workers import alive_workers
from trainer_hooks.keys import LANES


def main() -> None:
    """Exit 0 if both lanes of a worker on this host beat, else 1 with the reason."""
    try:
        store = open_store(*load_settings().found_redis())
        here = [w for w in alive_workers(store) if w["id"].startswith(f"{socket.gethostname()}-")]
    except MonitorError as error:
        sys.exit(f"sqd: {error}")
    missing = set(LANES) - {worker.get("lane") for worker in here}
    if missing:
        sys.exit(f"sqd: no sign of life from the lane {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
