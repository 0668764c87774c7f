"""Events of the client: in order, once each, also over a cut."""

import contextlib
import io
import socket
from contextlib import ExitStack
from typing import cast

import pytest

from monitor.client import Client, Event
from monitor.client.line import TIMEOUT_S, Line
from monitor.client.stream import follow, read_events
from monitor.errors import ClientError
from monitor.server.app import create_app
from monitor.store.connection import Store
from tests.client.conftest import TOKEN
from tests.server.laboratory import Laboratory
from tests.server.listening import serving


def steps_of(event: Event) -> list[int]:
    steps: list[int] = event.data["series"]["S.G"]["step"]
    return steps


def test_points_and_the_end_of_a_run(client: Client, laboratory: Laboratory) -> None:
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]})
    events = client.events("demo")
    assert next(events).data == {"run": "demo", "status": "running"}
    laboratory.weights(run, {"S.G": [0.2]}, steps=[2])
    points = next(events)
    assert (points.name, steps_of(points)) == ("points", [2])
    laboratory.weights(run, {"S.G": [0.3]}, steps=[3])
    again = client.events("demo", after=points.id)
    assert steps_of(next(again)) == [3]
    again.close()
    client.delete("demo")
    assert [event.name for event in events][-1] == "status"


@pytest.mark.parametrize(("ends", "names"), [(True, ["status"]), (False, ["status", "alert"])])
def test_stream_of_all_runs_outlives_each_of_them(ends: bool, names: list[str]) -> None:
    stream = (
        b'event: status\nid: 1-0\ndata: {"run": "old", "status": "deleted"}\n\n'
        b'event: alert\nid: 2-0\ndata: {"run": "other"}\n\n'
    )
    answers = [io.BytesIO(stream)]

    class Once:
        """A line that is cut after the stream, to a server that refuses then."""

        def answer(self, *_: object, **__: object) -> io.BytesIO:
            if not answers:
                raise ClientError("no more", 404)
            return answers.pop()

    events = follow(cast("Line", Once()), "/api/events", None, lambda _: None, ends=ends)
    found: list[str] = []
    with contextlib.suppress(ClientError):
        found.extend(event.name for event in events)
    assert found == names


def test_nothing_is_missed_or_doubled_over_a_restart(store: Store, laboratory: Laboratory) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = laboratory.start("demo")
    laboratory.weights(run, {"S.G": [0.1]})

    with ExitStack() as servers:
        servers.enter_context(serving(create_app(store, token=TOKEN), port))

        def restart(wait_s: float) -> None:
            # What happens while nobody serves is what a cut could lose.
            laboratory.weights(run, {"S.G": [0.3]}, steps=[3])
            servers.enter_context(serving(create_app(store, token=TOKEN), port))

        line = Line(f"http://127.0.0.1:{port}", TOKEN, TIMEOUT_S)
        events = follow(line, "/api/runs/demo/events", None, restart)
        assert next(events).name == "status"
        laboratory.weights(run, {"S.G": [0.2]}, steps=[2])
        assert steps_of(next(events)) == [2]
        servers.close()
        assert steps_of(next(events)) == [3]
        laboratory.weights(run, {"S.G": [0.4]}, steps=[4])
        assert steps_of(next(events)) == [4]
        events.close()


def test_what_will_not_change_is_told_at_once(client: Client, address: str) -> None:
    with pytest.raises(ClientError, match="no run is called"):
        next(client.events("absent"))
    with pytest.raises(ClientError, match="does not answer"):
        next(Client("http://127.0.0.1:9").events())
    with pytest.raises(ClientError, match="token is wrong"):
        next(Client(address, "guess").events())


def test_stream_is_read_as_browsers_do() -> None:
    text = (
        b'id: 1-0\nretry: 1000\n\n: ping\n\nevent: points\r\nid: 2-0\r\ndata: {"a": 1}\r\n\r\n'
        b"event:reset\nid:3-0\ndata:{}\n\nevent: points\nid: 4-0\ndata: {}\n"
    )
    assert list(read_events(io.BytesIO(text))) == [
        Event("", "1-0", None),
        Event("points", "2-0", {"a": 1}),
        Event("reset", "3-0", {}),
    ]
