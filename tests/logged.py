"""What `monitor` logs, as the product would write it."""

import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any

from monitor.logs import JsonLines


class Kept(logging.Handler):
    """Keeps lines that are written as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Write at once: what a thread works on is known only now."""
        self.lines.append(json.loads(self.format(record)))


@contextlib.contextmanager
def logged(level: int = logging.INFO) -> Iterator[list[dict[str, Any]]]:
    """Lines of our loggers from `level` on, as they come."""
    ours, handler = logging.getLogger("monitor"), Kept()
    before = ours.level
    ours.addHandler(handler)
    ours.setLevel(level)
    try:
        yield handler.lines
    finally:
        ours.setLevel(before)
        ours.removeHandler(handler)
