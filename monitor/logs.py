"""Logs: one line an event, to standard error, as text for people or as JSON for programs."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any, Literal

Format = Literal["text", "json"]

#: For what is no warning and must be seen all the same.
notices = logging.getLogger("monitor.notices")
#: What the current thread works on.
_about: ContextVar[Mapping[str, Any]] = ContextVar("about", default=MappingProxyType({}))


@contextlib.contextmanager
def about(run: str, step: int | None = None) -> Iterator[None]:
    """Give every line that this thread logs within, also by libraries, its run and step."""
    told = {"run": run} if step is None else {"run": run, "step": step}
    token = _about.set(told)
    try:
        yield
    finally:
        _about.reset(token)


def configure(*, verbose: bool = False, form: Format = "text") -> None:
    """Log warnings (with `verbose`: everything of ours), and Python's own warnings too."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.captureWarnings(form == "json")
    for name in ("monitor", "trainer_hooks"):
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.WARNING)
    notices.setLevel(logging.INFO)


class TextLines(logging.Formatter):
    """``12:00:00 warning monitor.worker.loop: heartbeat waits: … (run 'demo', step 12)``; a notice
    is the sentence alone."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        place = ", ".join(f"{name} {value!r}" for name, value in _about.get().items())
        said = record.message
        if record.name != notices.name:
            said = f"{record.levelname.lower()} {record.name}: {said}"
        return f"{record.asctime} {said} ({place})" if place else f"{record.asctime} {said}"


class JsonLines(logging.Formatter):
    """An object a line: time (UTC), level, logger, message; run, step, exception where known."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; what would break it is escaped."""
        told = {
            "time": datetime.fromtimestamp(record.created, timezone.utc)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about.get(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)
