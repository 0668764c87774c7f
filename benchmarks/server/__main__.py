"""How fast a long run is answered, by a real server in a process of its own.

    python -m benchmarks.server [--quick] [--steps 2000000] [--clients 10] [--queries 100]

Clients ask for 2000 points of a metric, each time another metric and another stretch (a third the
whole run, a third a random stretch, a third 10,000 steps), each over one connection of its own and
as fast as it is answered. Writes server.json and prints the table. Timing never decides a test.
"""

import argparse
import contextlib
import http.client
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from benchmarks.hooks.report import table
from benchmarks.server.asking import Question, ask, ask_once
from benchmarks.server.points import METRICS, Points, make_points
from benchmarks.server.product import RUN, Product

#: Steps of the closest look.
CLOSE = 10_000
#: As all figures in benchmarks/README.md were measured.
UNPACKED = {"Accept-Encoding": "identity"}
#: What --quick takes instead.
QUICK = {"steps": 20_000, "clients": 2, "queries": 3}


def main() -> None:
    """Write the run, serve it, ask, print."""
    options = read_options()
    points = make_points(options.steps)
    with (
        tempfile.TemporaryDirectory(prefix="sqd-bench-") as folder,
        contextlib.closing(Product(points, Path(folder))) as product,
    ):
        results = measure(options, product.port, points)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "server.json").write_text(json.dumps(results, indent=1))
    rows = [[name, *cells] for name, cells in results["rows"].items()]
    print(table(("query", "p50 ms", "p99 ms", "queries"), rows))


def measure(options: argparse.Namespace, port: int, points: Points) -> dict[str, Any]:
    """The first query of all metrics, then many clients at once."""
    first_ms, content, _ = ask_once(port, series(METRICS, None))
    answer = json.loads(content)
    spikes = zip(METRICS, points.spikes, strict=True)
    if lost := [metric for metric, step in spikes if step not in answer[metric]["step"]]:
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
        taken[name].append(ask(connection, series([rng.choice(METRICS)], span))[0])


def series(metrics: Iterable[str], span: tuple[int, int] | None) -> Question:
    """2000 points of each metric, of all steps or of a stretch."""
    asked = [("metric", metric) for metric in metrics]
    asked += [("from", str(span[0])), ("to", str(span[1]))] if span else []
    return Question("GET", f"/api/runs/{RUN}/series?{urlencode(asked)}", headers=UNPACKED)


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
