"""Our server beside those of other trackers: the same points, and the question of each one's page.

    make bench-peers     # once: TensorBoard, MLflow and Aim, in a .venv-peers of their own
    python -m benchmarks.server.comparison [--quick] [--steps 200000] [--long-steps 2000000]

All servers are up at once and are asked in turn, in random order, round by round: for the whole
run of one metric, each time another one. A ratio is the median over rounds of a server's median by
ours of the same round. Writes comparison.json and prints the table. Timing never decides a test.
"""

import argparse
import contextlib
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.server.asking import ask_many, ask_once
from benchmarks.server.fidelity import judge
from benchmarks.server.memory import family, shared_bytes
from benchmarks.server.peers import PEERS, MissingPeerError
from benchmarks.server.points import METRICS, Points, make_points
from benchmarks.server.product import Product
from benchmarks.server.standing import comparison_table
from benchmarks.server.subject import Subject

ROOT = Path(__file__).parents[2]
#: Prints the versions of packages, for the peers' Python.
VERSIONS = """
import sys
from importlib import metadata
for name in sys.argv[1:]:
    try:
        print(f"{name}=={metadata.version(name)}")
    except metadata.PackageNotFoundError:
        pass
"""
#: What --quick takes instead.
QUICK = {"steps": 5000, "long_steps": 0, "rounds": 2, "queries": 4}
#: Longest wait until a server has read what was written, seconds.
READ_S = 600.0
#: Between two looks whether it has, seconds.
LOOK_S = 1.0
#: A server has read the points when its answer reaches this share of the run.
REACHED = 0.99


def main() -> None:
    """Write the points everywhere, ask, print."""
    options = read_options()
    rows: dict[str, dict[str, Any]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="sqd-bench-") as folder,
        contextlib.ExitStack() as open_,
    ):
        for name, points, make in subjects(options, Path(folder)):
            try:
                subject = open_.enter_context(contextlib.closing(make()))
            except MissingPeerError as error:
                rows[name] = {"missing": str(error)}
                continue
            rows[name] = {"subject": subject, **first_look(subject, points)}
        present = {name: row.pop("subject") for name, row in rows.items() if "missing" not in row}
        rounds = ask_in_turn(options, present)
        for name, subject in present.items():
            rows[name]["memory_bytes"] = shared_bytes(family(subject.pids))
            rows[name]["rounds_ms"] = {str(n): taken[name] for n, taken in rounds.items()}
    results = {"about": about(options), "rows": rows}
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "comparison.json").write_text(json.dumps(results, indent=1))
    print(comparison_table(rows, options.clients))


def subjects(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Points, Any]]:
    """Name, points and maker of each server; ours first."""
    points = make_points(options.steps)
    yield "sqd", points, lambda: Product(points, folder / "sqd")
    if options.long_steps:
        many, name = make_points(options.long_steps), f"sqd, {options.long_steps:,} steps"
        yield name, many, lambda: Product(many, folder / "long", name)
    for peer in PEERS:
        if not options.only or peer.name in options.only:
            yield peer.name, points, lambda p=peer: p(points, folder / p.package, options.python)


def first_look(subject: Subject, points: Points) -> dict[str, Any]:
    """Wait until a server has read everything; what its first answers hold."""
    begun_s = time.monotonic()
    while True:
        steps, _ = subject.read(
            METRICS[-1], ask_once(subject.port, subject.question(METRICS[-1]))[1]
        )
        if len(steps) and max(steps) >= REACHED * (points.steps - 1):
            break
        if time.monotonic() - begun_s > READ_S:
            raise SystemExit(f"{subject.name} has not read the points after {READ_S:.0f} s")
        time.sleep(LOOK_S)
    found, nbytes = [], []
    for metric, values, spike in zip(METRICS, points.values, points.spikes, strict=True):
        _, content, size = ask_once(subject.port, subject.question(metric))
        found.append(judge(subject.read(metric, content), values, spike))
        nbytes.append(size)
    return {
        "steps": points.steps,
        "points": int(np.median([each.points for each in found])),
        "untrue": sum(each.points - each.true for each in found),
        "spikes": sum(each.spike for each in found),
        "answer_bytes": int(np.median(nbytes)),
    }


def ask_in_turn(
    options: argparse.Namespace, present: dict[str, Subject]
) -> dict[int, dict[str, list[list[float]]]]:
    """Milliseconds of each question: by clients at once, then by server, then by round."""
    rng = random.Random(0)
    taken: dict[int, dict[str, list[list[float]]]] = {
        clients: {name: [] for name in present} for clients in options.clients
    }
    for _ in range(options.rounds):
        for clients in options.clients:
            for name in rng.sample(list(present), len(present)):
                subject = present[name]
                asked = [subject.question(rng.choice(METRICS)) for _ in range(options.queries)]
                block = ask_many(subject.port, asked, clients, options.block_s)
                taken[clients][name].append(block)
    return taken


def about(options: argparse.Namespace) -> dict[str, Any]:
    """When, with what, and which versions of the peers."""
    asked = {name: str(value) for name, value in vars(options).items() if name != "output"}
    told = subprocess.run(
        [str(options.python), "-c", VERSIONS, *(peer.package for peer in PEERS)],
        capture_output=True,
        text=True,
    )
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "options": asked,
        "versions": told.stdout.split(),
    }


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, --quick's values filled in."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.server.comparison",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--steps", type=int, default=200_000, help="that every server is given")
    parser.add_argument("--long-steps", type=int, default=2_000_000, help="of ours alone; 0: none")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queries", type=int, default=100, help="of each server and round")
    parser.add_argument(
        "--block-s", type=float, default=20.0, help="longest time for them, seconds"
    )
    parser.add_argument("--only", nargs="+", help="of the peers: TensorBoard MLflow Aim")
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-peers" / "bin" / "python")
    parser.add_argument("--quick", action="store_true", help="a dry run, no figure worth a look")
    parser.add_argument("--output", type=Path, default=Path("artifacts"))
    options = parser.parse_args(arguments)
    if options.quick:
        vars(options).update(QUICK)
    return options


if __name__ == "__main__":
    main()
