"""What the hooks cost a training, and what they do in an outage, beside the alternatives.

    python -m benchmarks.hooks [--quick] [--only sqd] [--parts training alone outages]

Everything in one process and one run. Peers that are not installed get a row that says so; `make
bench-peers` installs them in an environment of their own. Writes hooks.json, hooks.html and, where
a Chromium is installed, hooks.png, and prints the tables. How it is measured: benchmarks/README.md.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from benchmarks.hooks import report
from benchmarks.hooks.alone import alone
from benchmarks.hooks.blocks import interleave
from benchmarks.hooks.catalogue import NOTHING, chosen, make, ways
from benchmarks.hooks.figures import in_training
from benchmarks.hooks.outages import SCENARIOS, suffer
from benchmarks.hooks.peers import QUIET_PEERS
from benchmarks.hooks.plot import draw
from benchmarks.hooks.product import Elsewhere
from benchmarks.hooks.training import Training
from benchmarks.hooks.variant import CALLS_ALONE, Variant

PARTS = ("training", "alone", "outages")
#: Distributions whose versions are recorded.
PACKAGES = ("torch", "numpy", "redis", "tensorboard", "wandb", "trackio", "mlflow", "aim")
#: Iterations of a block: seconds of training, on a CPU and on a GPU.
CPU_ITERATIONS, CUDA_ITERATIONS = 5, 100
#: What --quick takes instead: every row once, no figure worth a look.
QUICK = {"batch": 4, "width": 4, "rounds": 1, "iterations": 2, "outage_calls": 5, "limit_s": 30.0}
QUICK_CALLS_ALONE = 20
NOTES = (
    "No worker runs: it is taken to be on another machine. Redis is on this one, and its work is "
    "part of what is measured. Frames are taken out of Redis between blocks, outside the timed "
    "part.",
    "The first iteration of each block is not timed, so a block starts with the background work "
    "of its own way and not of the one before.",
    "Ratios compare each block with the nearest blocks of nothing before and after; the median of "
    "them and its bootstrap interval, blocks drawn.",
    '"Every iteration" turns the hooks\' rate control off, so that every call takes its snapshot.',
    "wandb's watch works inside the forward passes, so its calls do not show what it costs; its "
    "ratio does. wandb and trackio run without their system metrics.",
)


def main() -> None:
    """Measure, write, print."""
    options = read_options()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(prefix="sqd-bench-") as name:
        folder = Path(name)
        os.environ |= QUIET_PEERS
        os.environ |= {"SQD_HOME": str(folder / "home"), "TRACKIO_DIR": str(folder / "trackio")}
        results = measure(options, folder)
    options.output.mkdir(parents=True, exist_ok=True)
    written = options.output / "hooks.json"
    written.write_text(json.dumps(results, indent=1))
    for part, table in zip(
        PARTS, (report.training_table, report.alone_table, report.outage_table), strict=True
    ):
        if results[part]:
            print(f"{table(results[part])}\n")
    print("\n".join(f"- {note}" for note in NOTES))
    print("written:", *[written, *draw(results, options.output)])


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All parts that were asked for, in one run."""
    training = Training(options.device, options.batch, options.width)
    results: dict[str, Any] = {
        "about": _about(options, training),
        **{part: [] for part in PARTS},
    }
    if "outages" in options.parts:
        # First: wandb leaves the address of its service in the environment, for children to share.
        results["outages"] = _outages(options, folder / "outages")
    worker = Elsewhere(folder / "redis")
    try:
        if "training" in options.parts:
            results["training"] = _in_training(options, training, worker, folder / "training")
        if "alone" in options.parts:
            results["alone"] = _alone(options, training, worker, folder / "alone")
    finally:
        worker.close()
    return results


def _in_training(
    options: argparse.Namespace, training: Training, worker: Elsewhere, folder: Path
) -> list[dict[str, Any]]:
    makers = ways(worker)
    names = chosen([*makers], options.only)
    made = {name: make(makers[name], training, folder / str(i)) for i, name in enumerate(names)}
    variants = {name: variant for name, variant in made.items() if variant is not None}
    before_bytes = {name: variant.written_bytes() for name, variant in variants.items()}
    blocks = interleave(training, variants, options.rounds, options.iterations)
    rows: list[dict[str, Any]] = []
    for name in (NOTHING, *names):
        own = [block for block in blocks if block.name == name]
        if not own:
            rows.append({"name": name, "missing": "not installed"})
            continue
        variant = variants.get(name) or Variant(training, folder / NOTHING)
        variant.finish()
        # One block to warm up, and one call more in every block.
        pushes = (len(own) + 1) * (options.iterations + 1)
        row = in_training(name, own)
        written_bytes = variant.written_bytes() - before_bytes.get(name, 0)
        row["bytes_per_iteration"] = written_bytes / pushes
        row["dropped"] = variant.dropped()
        rows.append(row)
    return rows


def _alone(
    options: argparse.Namespace, training: Training, worker: Elsewhere, folder: Path
) -> list[dict[str, Any]]:
    most_calls = QUICK_CALLS_ALONE if options.quick else CALLS_ALONE
    makers = ways(worker)
    rows = [
        alone(name, makers[name], training, folder / str(i), most_calls)
        for i, name in enumerate(chosen([*makers], options.only))
    ]
    return [row for row in rows if row is not None]


def _outages(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    names = chosen([scenario.name for scenario in SCENARIOS], options.only)
    return [
        suffer(scenario, folder / str(i), options.outage_calls, options.limit_s)
        for i, scenario in enumerate(SCENARIOS)
        if scenario.name in names
    ]


def _about(options: argparse.Namespace, training: Training) -> dict[str, Any]:
    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    asked = {name: value for name, value in vars(options).items() if name != "output"}
    cuda = torch.cuda.get_device_name() if options.device == "cuda" else None
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "gpu": cuda},
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": versions,
        "parameters": training.parameters,
        "options": asked,
        "notes": NOTES,
    }


def read_options() -> argparse.Namespace:
    """The command line, --quick's values filled in."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hooks", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, default=64, help="images of an iteration")
    parser.add_argument("--width", type=int, default=64, help="ngf and ndf")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: as it chooses")
    parser.add_argument("--rounds", type=int, default=20, help="blocks of each way")
    parser.add_argument("--iterations", type=int, default=0, help="of a block; 0: by device")
    parser.add_argument("--outage-calls", type=int, default=300, help="during an outage")
    parser.add_argument("--limit-s", type=float, default=60.0, help="longest outage")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--only", nargs="+", default=[], help="rows that begin with one of these")
    parser.add_argument("--quick", action="store_true", help="a dry run: every row, no figures")
    parser.add_argument("--output", type=Path, default=Path("artifacts"))
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    if not options.iterations:
        options.iterations = CUDA_ITERATIONS if options.device == "cuda" else CPU_ITERATIONS
    return options


if __name__ == "__main__":
    main()
