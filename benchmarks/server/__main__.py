"""How fast a long run is answered, by a real server in a process of its own.

    python -m benchmarks.server [--quick] [--steps 2000000] [--clients 10] [--queries 100]

Clients ask for 2000 points of a metric, each time another metric and another stretch (a third the
whole run, a third a random stretch, a third 10,000 steps), each over one connection of its own and
as fast as it is answered. Writes server.json and prints the table. Timing never decides a test.
"""

import argparse
import http.client
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from benchmarks.hooks.report import table
from benchmarks.server.long_run import METRICS, write_run
from monitor.store.connection import Store
from monitor.store.embedded import EmbeddedRedis
from trainer_hooks import keys

#: Steps of the closest look.
CLOSE = 10_000
#: Longest wait for the server to start, seconds.
START_S = 60.0
#: Between two looks at the watch, seconds.
LOOK_S = 1.0
RUN = "long"
#: What --quick takes instead.
QUICK = {"steps": 20_000, "clients": 2, "queries": 3}


def main() -> None:
    """Write the run, serve it, ask, print."""
    options = read_options()
    with tempfile.TemporaryDirectory(prefix="sqd-bench-") as folder:
        embedded = EmbeddedRedis(Path(folder))
        try:
            spikes = write_run(embedded.store, RUN, options.steps)
            server, port = serve(embedded.store.redis_url, Path(folder))
            try:
                wait_for_watch(embedded.store, RUN, options.steps)
                results = measure(options, port, spikes)
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait()
        finally:
            embedded.close()
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "server.json").write_text(json.dumps(results, indent=1))
    rows = [[name, *cells] for name, cells in results["rows"].items()]
    print(table(("query", "p50 ms", "p99 ms", "queries"), rows))


def measure(options: argparse.Namespace, port: int, spikes: dict[str, int]) -> dict[str, Any]:
    """The first query of all metrics, then many clients at once."""
    first_ms, answer = ask(http.client.HTTPConnection("127.0.0.1", port), METRICS, None)
    lost = [m for m, step in spikes.items() if step not in json.loads(answer)[m]["step"]]
    if lost:
        raise SystemExit(f"the spike of {', '.join(lost)} is not in the answer")
    taken: dict[str, list[float]] = {"whole run": [], "a stretch": [], f"{CLOSE:,} steps": []}
    clients = [
        threading.Thread(target=client, args=(options, port, taken, number))
        for number in range(options.clients)
    ]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    taken["all"] = [ms for values in taken.values() for ms in values]
    rows = {name: [*_quantiles(values), str(len(values))] for name, values in taken.items()}
    rows[f"first query of {len(METRICS)} metrics"] = [f"{first_ms:.0f}", "", "1"]
    asked = {name: value for name, value in vars(options).items() if name != "output"}
    date = time.strftime("%Y-%m-%d", time.gmtime())
    return {"about": {"date": date, "options": asked}, "rows": rows}


def client(options: argparse.Namespace, port: int, taken: dict[str, list[float]], seed: int
           ) -> None:  # fmt: skip
    """One client's queries, one after the other."""
    rng = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    stretches = list(taken)
    for number in range(options.queries):
        name = stretches[number % len(stretches)]
        begin = rng.randrange(options.steps)
        end = rng.randrange(begin, options.steps)
        span = {"whole run": None, "a stretch": (begin, end)}.get(name, (begin, begin + CLOSE))
        taken[name].append(ask(connection, [rng.choice(METRICS)], span)[0])


def ask(
    connection: http.client.HTTPConnection, metrics: Any, span: tuple[int, int] | None
) -> tuple[float, bytes]:
    """Milliseconds from the question to the last byte of the answer, and the answer."""
    asked = [("metric", metric) for metric in metrics]
    asked += [("from", str(span[0])), ("to", str(span[1]))] if span else []
    begun = time.perf_counter()
    connection.request("GET", f"/api/runs/{RUN}/series?{urlencode(asked)}")
    answer = connection.getresponse()
    data = answer.read()
    taken_ms = (time.perf_counter() - begun) * 1e3
    if answer.status != http.client.OK:
        raise SystemExit(f"the server answers {answer.status}: {data.decode()}")
    return taken_ms, data


def wait_for_watch(store: Store, run: str, steps: int) -> None:
    """Until the detector has seen the run, which it would have done while it was trained."""
    seen = 0
    while seen < steps:
        time.sleep(LOOK_S)
        state = store.data.hget(keys.watch(run), "state")
        seen = json.loads(state)["places"]["weights"][-1] if isinstance(state, bytes) else 0


def serve(redis_url: str, folder: Path) -> "tuple[subprocess.Popen[str], int]":
    """A server on a free port, ready."""
    command = [sys.executable, "-m", "monitor.cli", "server", "--port", "0", "--home", str(folder)]
    server = subprocess.Popen(
        [*command, "--redis-url", redis_url], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    port = int(server.stdout.readline().rpartition(":")[2].strip().rstrip("/"))
    give_up_s = time.monotonic() + START_S
    while time.monotonic() < give_up_s:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return server, port
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def _quantiles(values: list[float]) -> list[str]:
    return [f"{np.quantile(values, share):.1f}" for share in (0.5, 0.99)]


def read_options() -> argparse.Namespace:
    """The command line, --quick's values filled in."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__)
    parser.add_argument("--steps", type=int, default=2_000_000)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--queries", type=int, default=99, help="of each client")
    parser.add_argument("--quick", action="store_true", help="a dry run, no figure worth a look")
    parser.add_argument("--output", type=Path, default=Path("artifacts"))
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    return options


if __name__ == "__main__":
    main()
