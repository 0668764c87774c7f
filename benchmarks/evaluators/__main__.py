"""What S, Q and D cost, beside facenet-pytorch, bare onnxruntime, naive angles and FID.

    python -m benchmarks.evaluators [--quick] [--device cuda] [--threads 1] [--parts quality whole]

Ways of one thing are timed in turn in one process, in random order; medians and ratios of rounds.
Writes evaluators.json, evaluators.html and, where a Chromium is installed, evaluators.png, and
prints the tables. How it is measured: benchmarks/README.md.
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

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from benchmarks.evaluators import report
from benchmarks.evaluators.diversity import alignment_rows, embedding_rows, nearest_rows
from benchmarks.evaluators.limits import limit_rows
from benchmarks.evaluators.networks import write_r50
from benchmarks.evaluators.plot import draw
from benchmarks.evaluators.quality import quality_rows
from benchmarks.evaluators.stability import stability_rows
from benchmarks.evaluators.whole import whole_rows
from monitor.diversity.embedder import DATA, Embedder, load_embedder
from monitor.worker.memory import keep_freed

PARTS = ("limits", "quality", "diversity", "stability", "whole")
#: Distributions whose versions are recorded.
PACKAGES = (
    *("torch", "torchvision", "torchmetrics", "numpy", "onnxruntime", "insightface"),
    "facenet-pytorch",
)
#: What --quick takes instead: every row once, no figure worth a look.
QUICK: dict[str, Any] = {
    **{
        "rounds": 1,
        "whole_rounds": 1,
        "images": 8,
        "sides": [64],
        "crops": 4,
        "parameters": 10_000,
    },
    **{"samples": 20, "modes": 50, "counts": [4, 8], "fid_counts": [2, 4], "dimensions": 16},
    "embedders": ["faces100"],
}
#: Matrix side and vector length of the limits in a dry run.
QUICK_LIMITS = {"side": 64, "vector": 4096}
#: Length of an ArcFace feature.
FEATURE = 512
NOTES = (
    "FID: torchmetrics', of torchvision's Inception v3 with random weights, 2048 features; the "
    "reference's statistics are there already. For its time only: its value means nothing.",
    "r50: ArcFace's IResNet-50 with random weights, through onnxruntime. For its time only.",
    "Errors of an angle are relative, against 80-bit arithmetic, at the angles named (radians).",
    "Ratios are to the first row of the same comparison: the median over rounds.",
)


def main() -> None:
    """Measure, write, print."""
    options = read_options()
    # As in the worker, and for all ways alike: nobody pays for fetching the same pages again.
    keep_freed()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(prefix="sqd-bench-") as folder:
        results = {"about": _about(options), **measure(options, Path(folder))}
    options.output.mkdir(parents=True, exist_ok=True)
    written = options.output / "evaluators.json"
    written.write_text(json.dumps(results, indent=1))
    print(report.tables(results))
    print("\n" + "\n".join(f"- {note}" for note in NOTES))
    pictures = draw(results["whole"], options.output) if "whole" in results else []
    print("written:", *[written, *pictures])


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The parts that were asked for, in one run."""
    rounds, device = options.rounds, options.device
    embedders = _embedders(options, folder)
    results: dict[str, Any] = {}
    if "limits" in options.parts:
        results["limits"] = limit_rows(rounds, device, **(QUICK_LIMITS if options.quick else {}))
    if "quality" in options.parts:
        sides = [quality_rows(options.images, side, rounds, device) for side in options.sides]
        results["quality"] = [row for rows in sides for row in rows]
    if "diversity" in options.parts:
        results |= _diversity(options, embedders)
    if "stability" in options.parts:
        results["stability"] = stability_rows(options.parameters, rounds, device)
    if "whole" in options.parts:
        loaded = [embedder for embedder, _ in embedders]
        results["whole"] = whole_rows(
            loaded, options.modes, options.counts, options.fid_counts, options.dimensions,
            options.whole_rounds, device,
        )  # fmt: skip
    return results


def _diversity(
    options: argparse.Namespace, embedders: list[tuple[Embedder, Path]]
) -> dict[str, Any]:
    rounds, device = options.rounds, options.device
    nearest = nearest_rows(options.samples, options.modes, FEATURE, rounds, device)
    rows = []
    for embedder, path in embedders:
        for row in embedding_rows(embedder, path, options.crops, rounds, device):
            embedding_s = options.samples / row["per_second"]
            rows.append({**row, "share_of_embedding": nearest[0]["seconds"] / embedding_s})
    rows += alignment_rows(options.images, options.sides[0], rounds, device)
    return {"diversity": rows, "nearest": nearest}


def _embedders(options: argparse.Namespace, folder: Path) -> list[tuple[Embedder, Path]]:
    if not {"diversity", "whole"} & set(options.parts):
        return []
    paths = {"faces100": lambda: DATA / "faces100.onnx", "r50": lambda: write_r50(folder)}
    found = [paths[name]() for name in options.embedders]
    return [(load_embedder(path, options.device), path) for path in found]


def _about(options: argparse.Namespace) -> dict[str, Any]:
    gpu = torch.cuda.get_device_name(options.device) if options.device != "cpu" else None
    asked = {name: value for name, value in vars(options).items() if name != "output"}
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": {"cpus": os.cpu_count(), "platform": platform.platform(), "gpu": gpu},
        "threads": torch.get_num_threads(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "options": asked,
        "notes": NOTES,
    }


def read_options() -> argparse.Namespace:
    """The command line, --quick's values filled in."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluators", description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: as it chooses")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--whole-rounds", type=int, default=1, help="of whole points and FID")
    parser.add_argument("--images", type=int, default=2048, help="of Q and of alignment")
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128], help="of Q, pixels")
    parser.add_argument("--embedders", nargs="+", choices=("faces100", "r50"),
                        default=["faces100", "r50"])  # fmt: skip
    parser.add_argument("--crops", type=int, default=256, help="embedded for D's rate")
    parser.add_argument("--samples", type=int, default=2000, help="of the nearest mode")
    parser.add_argument("--modes", type=int, default=10_177)
    parser.add_argument("--parameters", type=int, default=10_000_000, help="of S")
    parser.add_argument("--counts", type=int, nargs="+", default=[250, 500, 1000, 2000])
    parser.add_argument("--fid-counts", type=int, nargs="+", default=[500, 2000, 10_000])
    parser.add_argument("--dimensions", type=int, default=2048, help="features that FID keeps")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="a dry run: every row, no figures")
    parser.add_argument("--output", type=Path, default=Path("artifacts"))
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    return options


if __name__ == "__main__":
    main()
