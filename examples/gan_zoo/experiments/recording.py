"""Points of a finished training as compressed JSON lines, as `sqd replay` reads them."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from monitor.turning.detector import TurningPointDetector
from monitor.turning.replay import Record, read_records
from monitor.types import TurningPoint

#: Significant digits that are kept: the noise of every metric is larger.
DIGITS = 5
SUFFIX = ".jsonl.gz"
#: Tables average the last sixth of a training (SQD paper: epochs 250 to 300).
LAST_SHARE = 1 / 6


def write(lines: Iterable[str], path: Path) -> None:
    """Keep what `sqd export --format jsonl` printed, without per-tensor and per-epoch angles.

    Steps whose weights were not looked at and that have no samples are left out: their scalars
    would be most of the file.
    """
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as file:
        for line in lines:
            if (kept := _kept(line)) is not None:
                file.write(kept.encode() + b"\n")
    unfinished.replace(path)


def _kept(line: str) -> str | None:
    record = json.loads(line)
    values = {
        name: value if value is None else float(f"{value:.{DIGITS}g}")
        for name, value in record["values"].items()
        if "/" not in name and "@" not in name
    }
    if not any(name == "Q" or name.startswith("S.") for name in values):
        return None
    return json.dumps({"step": record["step"], "epoch": record["epoch"], "values": values})


def read(path: Path) -> Iterator[Record]:
    """The records of a recording, in order."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from read_records(lines, str(path))


def series(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Steps and values of every metric; points without a value are left out."""
    columns: dict[str, tuple[list[int], list[float]]] = {}
    for record in read(path):
        for name, value in record.values.items():
            if value is not None:
                steps, values = columns.setdefault(name, ([], []))
                steps.append(record.step)
                values.append(value)
    return {name: (np.array(steps), np.array(values)) for name, (steps, values) in columns.items()}


def last_sixth(steps: np.ndarray, values: np.ndarray, iterations: int) -> float:
    """Mean of a metric over the end of a training, NaN without a point there."""
    chosen = values[steps >= (1 - LAST_SHARE) * iterations]
    return float(chosen.mean()) if chosen.size else float("nan")


def turning_points(path: Path) -> list[TurningPoint]:
    """What the detector says of a recording."""
    detector = TurningPointDetector()
    return [
        found
        for record in read(path)
        for found in detector.update(record.step, record.values, epoch=record.epoch)
    ]
