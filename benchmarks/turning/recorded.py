"""Recorded trainings with their labels: those that the detector was made on, and others."""

import gzip
import json
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

from monitor.turning.case import Case, Half
from monitor.turning.replay import Record, read_records

#: Where recordings and their labels lie, and how both end.
RUNS = Path(__file__).parents[1] / "runs"
LABELS, SUFFIX = "labels.json", ".jsonl.gz"


def recorded(folders: Iterable[Path], labels: Path, half: Half) -> Iterator[Case]:
    """Every recording of a half, by name.

    Args:
        folders: with recordings.
        labels: JSON, ``{"<file stem>": {"half": ..., "turn": [first, last] or null, ...}}``.
        half: ``tuning`` where the detector's makers had seen the run when they chose its
            thresholds, ``test`` where they had not.
    """
    known = json.loads(labels.read_text())
    paths = {name_of(path): path for folder in folders for path in folder.glob(f"*{SUFFIX}")}
    for name in sorted(paths):
        if name in known and known[name]["half"] == half:
            turn = known[name]["turn"]
            records = read(paths[name])
            span = None if turn is None else (int(turn[0]), int(turn[1]))
            yield Case(name, span, spacing_of(records), records)


def name_of(path: Path) -> str:
    """Name of the file without its ending."""
    return path.name.removesuffix(SUFFIX)


def read(path: Path) -> tuple[Record, ...]:
    """All records of a recording."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return tuple(read_records(lines, str(path)))


def spacing_of(records: Iterable[Record]) -> float:
    """Typical steps between sample batches; 1 where there are none."""
    steps = [r.step for r in records if r.values.get("Q") is not None or "D" in r.values]
    gaps = [after - before for before, after in pairwise(steps)]
    return float(median(gaps)) if gaps else 1.0
