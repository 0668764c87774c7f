"""Server-sent events as Python values, resumed where the line was cut."""

import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import IO, Any

from monitor.client.line import Line
from monitor.errors import ClientError

#: Before the line is opened again, seconds.
RETRY_S = 1.0
#: What a server says that will be back.
AWAY = 503


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        name: `points`, `alert`, `status`, `stop` or `reset`.
        id: to go on from; "" where nothing can follow.
        data: as docs/api.md says.
    """

    name: str
    id: str
    data: Any


def follow(
    line: Line,
    path: str,
    after: str | None,
    pause: Callable[[float], object] = time.sleep,
    *,
    ends: bool = True,
) -> Generator[Event, None, None]:
    """Events as they come, for as long as they are asked for.

    A cut line is opened again where it was cut, so nothing is missed or doubled; an event `reset`
    says that too much has happened meanwhile, and what is shown must be fetched again.

    Args:
        line: to the server.
        path: of the stream.
        after: id of the event that was seen last; None: from now on.
        pause: waits so many seconds.
        ends: whether the stream is one run's, and over when that is deleted.
    Raises:
        ClientError: the first attempt failed, or the server refuses (the run is gone).
    """
    place, heard = after, False
    while True:
        headers = {} if place is None else {"Last-Event-ID": place}
        try:
            with line.answer("GET", path, headers=headers) as answer:
                heard = True
                for event in read_events(answer):
                    place = event.id or place
                    if event.name:
                        yield event
                    if ends and event.name == "status" and event.data.get("status") == "deleted":
                        return
        except ClientError as error:
            if error.status not in (0, AWAY) or not heard:
                raise
        pause(RETRY_S)


def read_events(lines: IO[bytes]) -> Iterator[Event]:
    """The events of a stream until it ends; an id alone has no name."""
    fields: dict[str, str] = {}
    for raw in lines:
        name, _, value = raw.decode().rstrip("\r\n").partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif raw.strip():
            continue  # a comment, which keeps the line open
        elif fields:
            data = json.loads(fields["data"]) if "data" in fields else None
            yield Event(fields.get("event", ""), fields.get("id", ""), data)
            fields = {}
