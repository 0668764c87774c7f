"""Server-sent events: nothing lost, nothing doubled, nothing left behind."""

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.server.app import create_app
from monitor.store.blocks import Cell
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from monitor.store.events import MOST_EVENTS, announce
from tests.server.laboratory import EPOCH_S, Laboratory, alert
from tests.server.listening import WAIT_S, EventStream, Received, serving
from tests.server.mortal import MortalRedis
from trainer_hooks import Run, keys

DEMO = "/api/runs/demo/events"
ALL = "/api/events"
#: Longest that a server with listeners may take to stop, seconds.
STOP_S = 3
#: A server as the command line starts it; argument 1 says how.
SERVE = """
import sys, uvicorn
from monitor.server.app import create_app
from monitor.server.serve import Server
from monitor.store.connection import open_store
app = create_app(open_store(sys.argv[2]))
options = {"host": "127.0.0.1", "port": int(sys.argv[3]), "log_level": "error"}
Server(app, **options).run() if sys.argv[1] == "ours" else uvicorn.run(app, **options)
"""


def listen(client: httpx.Client, path: str, last_id: str = "") -> EventStream:
    """An open stream, after its first id."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    stream = EventStream(str(client.base_url), path, **headers)
    assert stream.status == 200
    hello = stream.next()
    assert hello.name == ""
    assert hello.id
    return stream


def demo_stream(client: httpx.Client) -> EventStream:
    """A fresh stream of the run `demo`, after its status."""
    stream = listen(client, DEMO)
    assert stream.next().name == "status"
    return stream


def values_of(events: list[Received], metric: str) -> list[float]:
    """All values of a metric, in the order they came."""
    found: list[float] = []
    for event in events:
        found += event.data["series"][metric]["value"]
    return found


def started(laboratory: Laboratory, name: str) -> Run:
    """A run with one point."""
    run = laboratory.start(name)
    laboratory.weights(run, {"S.G": [0.0]})
    return run


@pytest.fixture
def run(laboratory: Laboratory) -> Run:
    """A run called demo, with one point."""
    return started(laboratory, "demo")


def test_points_of_a_block_come_as_columns(
    client: httpx.Client, laboratory: Laboratory, run: Run
) -> None:
    with demo_stream(client) as stream:
        flawed = Cell(1, None, status="nonfinite", reason="NaN")
        laboratory.weights(run, {"S.G": [0.1, flawed], "S.G/w": [1.0, 1.0]}, steps=[2, 3])
        event = stream.next()
    assert event.name == "points"
    assert event.id
    assert event.data == {
        "run": "demo",
        "series": {
            "S.G": {
                "step": [2, 3], "epoch": [1.0, 1.5], "time": [EPOCH_S + 2, EPOCH_S + 3],
                "value": [0.1, None], "stderr": [None, None], "n": [1, 1],
                "status": ["ok", "nonfinite"],
            }
        },
        "samples": [],
    }  # fmt: skip


def test_batch_says_that_its_grid_is_there(
    client: httpx.Client, laboratory: Laboratory, run: Run
) -> None:
    with demo_stream(client) as stream:
        laboratory.samples(run, 200, {"Q": [0.9]}, grid=b"grid")
        assert stream.next().data["samples"] == [200]


def test_list_hears_the_newest_of_every_run(
    client: httpx.Client, laboratory: Laboratory, run: Run
) -> None:
    other = laboratory.start("other")
    with listen(client, ALL) as stream:
        laboratory.weights(run, {"S.G": [0.1, 0.2]}, steps=[2, 3])
        laboratory.weights(other, {"loss.G": [7.0]}, steps=[9])
        first, second = stream.next(), stream.next()
    assert (first.name, first.data["run"], first.data["last_step"]) == ("points", "demo", 3)
    assert first.data["latest"]["S.G"]["value"] == 0.2
    assert second.data["latest"] == {
        "loss.G": {
            "step": 9, "epoch": 4.5, "time": EPOCH_S + 9, "value": 7.0, "stderr": None, "n": 1,
            "status": "ok",
        }
    }  # fmt: skip


def test_run_hears_nothing_of_others(
    client: httpx.Client, laboratory: Laboratory, run: Run
) -> None:
    other = laboratory.start("other")
    with demo_stream(client) as stream:
        laboratory.weights(other, {"S.G": [5.0]})
        laboratory.weights(run, {"S.G": [0.1]}, steps=[2])
        assert stream.next().data["run"] == "demo"


def test_alert_and_status_reach_both(
    client: httpx.Client, laboratory: Laboratory, run: Run
) -> None:
    raised = alert("demo", "mode_collapse", 10)
    with demo_stream(client) as one, listen(client, ALL) as every:
        laboratory.watched("demo", {"metrics": {}}, [raised])
        announce(laboratory.store, "demo", "status", {"run": "demo", "status": "lost"})
        for stream in (one, every):
            event = stream.next()
            assert (event.name, event.data) == ("alert", raised.as_dict())
            event = stream.next()
            assert (event.name, event.data) == ("status", {"run": "demo", "status": "lost"})


def test_fresh_stream_begins_with_the_status_and_an_id(client: httpx.Client, run: Run) -> None:
    with listen(client, DEMO) as stream:
        status = stream.next()
    assert (status.name, status.data) == ("status", {"run": "demo", "status": "running"})
    assert status.id


def test_headers_suit_a_stream(client: httpx.Client, run: Run) -> None:
    stream = EventStream(str(client.base_url), DEMO, **{"Accept-Encoding": "gzip"})
    with stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["content-encoding"] is None
        assert stream.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("how", ["header", "query"])
def test_resumes_without_a_gap_or_a_double(
    client: httpx.Client, laboratory: Laboratory, run: Run, how: str
) -> None:
    with demo_stream(client) as stream:
        laboratory.weights(run, {"S.G": [1.0]}, steps=[2])
        last = stream.next()
    for step in range(3, 6):
        laboratory.weights(run, {"S.G": [float(step)]}, steps=[step])
    query = f"?last_event_id={last.id}" if how == "query" else ""
    with listen(client, DEMO + query, last.id if how == "header" else "") as stream:
        laboratory.weights(run, {"S.G": [6.0]}, steps=[6])
        events = [stream.next() for _ in range(4)]
    assert [event.name for event in events] == ["points"] * 4
    assert values_of(events, "S.G") == [3.0, 4.0, 5.0, 6.0]


def test_quiet_stream_resumes_from_its_first_id(
    client: httpx.Client, laboratory: Laboratory, run: Run
) -> None:
    hello = EventStream(str(client.base_url), ALL)
    with hello:
        last_id = hello.next().id
    laboratory.weights(run, {"S.G": [1.0]}, steps=[2])
    with listen(client, ALL, last_id) as stream:
        assert stream.next().data["last_step"] == 2


@pytest.mark.parametrize(
    "last_id", ["1-1", "0-0", "nonsense", "9" * 19 + "-0", "9" * 40, "-1", "1"]
)
@pytest.mark.parametrize("path", [DEMO, ALL])
def test_id_that_is_not_there_gets_a_reset(
    client: httpx.Client, laboratory: Laboratory, run: Run, path: str, last_id: str
) -> None:
    with listen(client, path, last_id) as stream:
        reset = stream.next()
        assert (reset.name, reset.data) == ("reset", {})
        laboratory.weights(run, {"S.G": [1.0]}, steps=[2])
        event = stream.next()
        assert event.name == "points"
    with listen(client, path, reset.id) as stream:
        assert stream.next() == event


def test_many_events_come_in_order(client: httpx.Client, store: Store, run: Run) -> None:
    with demo_stream(client) as stream, listen(client, ALL) as every:
        for number in range(1000):
            announce(store, "demo", "status", {"run": "demo", "status": str(number)})
        expected = [str(number) for number in range(1000)]
        assert [stream.next().data["status"] for _ in range(1000)] == expected
        assert [every.next().data["status"] for _ in range(1000)] == expected


def test_listener_that_fell_behind_the_stream_gets_a_reset(
    client: httpx.Client, store: Store, run: Run
) -> None:
    with demo_stream(client) as stream:
        # In one step, as if the browser had slept meanwhile.
        pipe = store.data.pipeline(transaction=True)
        for number in range(MOST_EVENTS + 100):
            status = f'{{"status": "{number}"}}'
            data: dict[Any, Any] = {"event": "status", "run": "demo", "data": status}
            pipe.xadd(keys.events("demo"), data, maxlen=MOST_EVENTS, approximate=False)
        pipe.execute()
        announce(store, "demo", "status", {"status": "woken"})
        assert stream.next().name == "reset"
        announce(store, "demo", "status", {"status": "after"})
        assert stream.next().data == {"status": "after"}


def test_crowd_hears_the_same(client: httpx.Client, laboratory: Laboratory, run: Run) -> None:
    streams = [demo_stream(client) for _ in range(30)]
    for step in range(2, 6):
        laboratory.weights(run, {"S.G": [float(step)]}, steps=[step])
    for stream in streams:
        assert values_of([stream.next() for _ in range(4)], "S.G") == [2.0, 3.0, 4.0, 5.0]
        stream.close()


def test_deleted_run_ends_its_streams(client: httpx.Client, run: Run) -> None:
    with demo_stream(client) as stream, listen(client, ALL) as every:
        client.delete("/api/runs/demo")
        deleted = stream.next()
        assert (deleted.name, deleted.data) == ("status", {"run": "demo", "status": "deleted"})
        assert stream.ended()
        event = every.next()
        assert (event.name, event.data) == ("status", {"run": "demo", "status": "deleted"})


def test_closed_tabs_leave_nothing_behind(
    client: httpx.Client, laboratory: Laboratory, run: Run
) -> None:
    for _ in range(5):
        listen(client, DEMO).close()
        listen(client, ALL).close()
    give_up_s = time.monotonic() + WAIT_S
    while "sqd_sse_clients 0.0" not in client.get("/metrics").text:
        assert time.monotonic() < give_up_s
        time.sleep(0.05)


class TestSharedLine:
    """One line for all tabs of a browser: several runs, and the list, each as if alone."""

    def shared(self, client: httpx.Client, query: str, last_id: str = "") -> EventStream:
        stream = EventStream(
            str(client.base_url),
            f"{ALL}?{query}",
            **({"Last-Event-ID": last_id} if last_id else {}),
        )
        assert stream.status == 200
        return stream

    def test_tells_of_each_and_says_which_spoke(
        self, client: httpx.Client, laboratory: Laboratory, run: Run
    ) -> None:
        other, third = started(laboratory, "other"), started(laboratory, "third")
        with self.shared(client, "newest=1&run=other&run=demo") as stream:
            hello = stream.next()
            laboratory.weights(third, {"S.G": [3.0]}, steps=[2])
            laboratory.weights(run, {"S.G": [1.0]}, steps=[2])
            laboratory.weights(other, {"S.G": [2.0]}, steps=[2])
            heard = [stream.next() for _ in range(5)]
        assert (hello.name, hello.id.count(",")) == ("start", 2)
        told = [(event.id.partition(":")[0], event.data["run"]) for event in heard]
        newest = [run for number, run in told if number == "0"]
        assert newest == ["third", "demo", "other"]
        assert {pair for pair in told if pair[0] != "0"} == {("1", "other"), ("2", "demo")}
        assert all(("latest" in event.data) == (event.id[0] == "0") for event in heard)

    @pytest.mark.parametrize("how", ["header", "query"])
    def test_resumes_every_run_without_a_gap_or_a_double(
        self, client: httpx.Client, laboratory: Laboratory, run: Run, how: str
    ) -> None:
        other = started(laboratory, "other")
        with self.shared(client, "run=demo&run=other") as stream:
            stream.next()
            for step in (2, 3):
                laboratory.weights(run, {"S.G": [float(step)]}, steps=[step])
                laboratory.weights(other, {"S.G": [10.0 * step]}, steps=[step])
            seen = [stream.next() for _ in range(3)]
        laboratory.weights(run, {"S.G": [4.0]}, steps=[4])
        query = f"&last_event_id={seen[-1].id}" if how == "query" else ""
        header = seen[-1].id if how == "header" else ""
        with self.shared(client, f"run=demo&run=other{query}", header) as stream:
            stream.next()
            seen += [stream.next() for _ in range(2)]
        for name, values in (("demo", [2.0, 3.0, 4.0]), ("other", [20.0, 30.0])):
            assert values_of([e for e in seen if e.data["run"] == name], "S.G") == values

    def test_one_run_begins_where_another_resumes(
        self, client: httpx.Client, laboratory: Laboratory, run: Run
    ) -> None:
        other = started(laboratory, "other")
        with self.shared(client, "run=demo") as stream:
            last_id = stream.next().id
        laboratory.weights(run, {"S.G": [2.0]}, steps=[2])
        query = f"run=demo&run=other&last_event_id={last_id.partition(':')[2]},"
        with self.shared(client, query) as stream:
            stream.next()
            laboratory.weights(other, {"S.G": [2.0]}, steps=[2])
            heard = [stream.next() for _ in range(2)]
        assert sorted(values_of(heard, "S.G")) == [2.0, 2.0]

    def test_what_cannot_be_resumed_is_reset_alone(
        self, client: httpx.Client, laboratory: Laboratory, run: Run
    ) -> None:
        started(laboratory, "other")
        with self.shared(client, "run=other&run=demo") as stream:
            place = stream.next().id.partition(":")[2].partition(",")[0]
        with self.shared(client, "run=other&run=demo", f"0:{place},1-1") as stream:
            hello, reset = stream.next(), stream.next()
            laboratory.weights(run, {"S.G": [1.0]}, steps=[2])
            assert stream.next().data["run"] == "demo"
        assert hello.name == "start"
        assert (reset.name, reset.id.partition(":")[0]) == ("reset", "1")

    def test_ends_for_a_deleted_or_unknown_run_alone(
        self, client: httpx.Client, laboratory: Laboratory, run: Run
    ) -> None:
        other = started(laboratory, "other")
        with self.shared(client, "run=demo&run=nobody&run=other") as stream:
            stream.next()
            gone = stream.next()
            assert (gone.id[0], gone.data) == ("1", {"run": "nobody", "status": "deleted"})
            client.delete("/api/runs/demo")
            gone = stream.next()
            assert (gone.id[0], gone.data) == ("0", {"run": "demo", "status": "deleted"})
            laboratory.weights(other, {"S.G": [1.0]}, steps=[2])
            assert stream.next().data["run"] == "other"

    def test_counts_as_one_listener(self, client: httpx.Client, run: Run) -> None:
        with self.shared(client, "newest=1&run=demo&run=nobody") as stream:
            stream.next()
            assert "sqd_sse_clients 1.0" in client.get("/metrics").text


class TestRedisAway:
    """The line stays open while Redis is away, and goes on where it was."""

    @pytest.fixture
    def redis(self, tmp_path: Path) -> Iterator[MortalRedis]:
        server = MortalRedis(tmp_path)
        yield server
        server.close()

    def test_goes_on_after_an_outage(self, redis: MortalRedis) -> None:
        laboratory = Laboratory(redis.store, redis.url)
        run = laboratory.start("demo")
        laboratory.weights(run, {"S.G": [1.0]})
        with (
            serving(create_app(redis.store)) as client,
            demo_stream(client) as one,
            listen(client, ALL) as every,
        ):
            laboratory.weights(run, {"S.G": [2.0]}, steps=[2])
            assert values_of([one.next()], "S.G") == [2.0]
            assert every.next().data["last_step"] == 2
            redis.kill()
            assert client.get("/api/runs").status_code == 503
            assert client.get(DEMO).status_code == 503
            redis.start()
            laboratory.weights(run, {"S.G": [3.0]}, steps=[3])
            assert values_of([one.next()], "S.G") == [3.0]
            assert every.next().data["last_step"] == 3
        laboratory.close()

    def test_hears_of_a_deletion_that_nobody_announced(self, redis: MortalRedis) -> None:
        laboratory = Laboratory(redis.store, redis.url)
        run = laboratory.start("demo")
        laboratory.weights(run, {"S.G": [1.0]})
        run.finish()
        with serving(create_app(redis.store)) as client, demo_stream(client) as stream:
            redis.store.data.delete(keys.segments("demo"), keys.events("demo"))
            assert stream.next().data == {"run": "demo", "status": "deleted"}
            assert stream.ended()
        laboratory.close()


class TestStopping:
    """A server with listeners stops promptly."""

    def test_by_request(self, store: Store, run: Run) -> None:
        with serving(create_app(store)) as client:
            streams = [demo_stream(client), listen(client, ALL)]
        for stream in streams:
            assert stream.ended()
            stream.close()
        assert [t.name for t in threading.enumerate() if t.name == "sqd-events"] == []

    @pytest.mark.parametrize("how", ["ours", "uvicorn"])
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_by_signal(
        self, embedded: EmbeddedRedis, run: Run, how: str, number: signal.Signals
    ) -> None:
        port = str(_free_port())
        command = [sys.executable, "-c", SERVE, how, embedded.redis_url, port]
        with contextlib.ExitStack() as stack:
            child = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE))
            stack.callback(child.kill)
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, child)
            for path in (DEMO, ALL, DEMO):
                stack.enter_context(EventStream(address, path)).next()
            child.send_signal(number)
            # The limit is what is tested.
            _, error = child.communicate(timeout=STOP_S)
        assert b"Traceback" not in error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, child: "subprocess.Popen[Any]") -> None:
    give_up_s = time.monotonic() + 3 * WAIT_S
    while True:
        assert child.poll() is None, child.communicate()
        try:
            httpx.get(f"{address}/healthz", trust_env=False)
        except httpx.TransportError:
            assert time.monotonic() < give_up_s
            time.sleep(0.05)
        else:
            return
