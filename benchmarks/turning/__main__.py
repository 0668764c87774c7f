"""The turning-point detector beside river's and an offline segmentation, on simulated and recorded
runs. Seconds with --quick, some minutes without; no timing.

    python -m benchmarks.turning [--quick] [--simulated 200] [--recordings DIR ...] [--output DIR]
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.turning.leads import leads
from benchmarks.turning.plot import draw
from benchmarks.turning.recorded import LABELS, RUNS, recorded
from benchmarks.turning.report import Row, lead_table, score_table
from benchmarks.turning.ways import Ours, Way, best, others, run
from monitor.turning.case import Case, Half
from monitor.turning.simulation import cases

#: Simulated cases of each half, as they come and in a dry run; recorded runs of a dry run.
SIMULATED, QUICK, QUICK_RECORDED = 100, 4, 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Judge, print, draw."""
    options = _options(arguments)
    halves: dict[Half, list[list[Case]]] = {
        half: [
            list(cases(half, QUICK if options.quick else options.simulated)),
            _recorded(options, half),
        ]
        for half in ("tuning", "test")
    }
    ours = Ours()
    rivals = others(quick=options.quick)
    chosen = [*ours.ways(), *(best(ways, halves["tuning"]) for ways in rivals.values())]
    plain = [ways[0] for name, ways in rivals.items() if name.startswith("river")]
    judged = [*chosen, *(way for way in plain if way not in chosen)]
    names = ("simulated", "recorded")
    tables: dict[str, list[Row]] = {
        f"{name}, {half}": [_row(way, own) for way in judged]
        for half in ("test", "tuning")
        for name, own in zip(names, halves[half], strict=True)
        if own
    }
    warned = leads(ours, [case for half in halves.values() for case in half[1]])
    texts = [score_table(title, rows) for title, rows in tables.items()]
    print("\n\n".join([*texts, lead_table(warned)]))
    options.output.mkdir(parents=True, exist_ok=True)
    title = "Simulated runs of the test half, every setting; symbols grow with F1"
    every = [*ours.ways(), *(way for ways in rivals.values() for way in ways)]
    written = draw(title, [_row(way, halves["test"][0]) for way in every], options.output)
    results = {
        "date": date.today().isoformat(),
        "options": {name: str(value) for name, value in vars(options).items()},
        "scores": {title: [_as_dict(row) for row in rows] for title, rows in tables.items()},
        "warnings": [asdict(each) for each in warned],
    }
    path = options.output / "turning.json"
    path.write_text(json.dumps(results, indent=1))
    print("\nwritten:", *written, path)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turning", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="a dry run: a few cases, rivals as they come")
    add("--simulated", type=int, default=SIMULATED, help="cases of each half (%(default)s)")
    add("--recordings", type=Path, nargs="*", default=[RUNS], help="folders (benchmarks/runs)")
    add("--labels", type=Path, default=RUNS / LABELS, help="of the recordings")
    add("--output", type=Path, default=Path("artifacts"), help="folder (%(default)s)")
    return parser.parse_args(arguments)


def _recorded(options: argparse.Namespace, half: Half) -> list[Case]:
    found = list(recorded(options.recordings, options.labels, half))
    return found[:QUICK_RECORDED] if options.quick else found


def _row(way: Way, own: Sequence[Case]) -> Row:
    return way.name, way.setting, run(way, own)


def _as_dict(row: Row) -> dict[str, Any]:
    name, setting, found = row
    return {"name": name, "setting": setting, "f1": found.f1, **asdict(found)}


if __name__ == "__main__":
    main()
