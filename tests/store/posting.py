"""A trainer process by hand: it registers and posts as the hooks do, one frame at a time."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.store.blocks import Block, Cell, Kind, Rows
from monitor.store.connection import Store
from monitor.store.finish import NO_ARTIFACTS, Artifacts
from monitor.store.jobs import Job, JobQueue
from trainer_hooks.link import Link
from trainer_hooks.settings import read_settings
from trainer_hooks.wire import Frame

#: When step 0 was pushed, Unix seconds; a step is a second.
START_S = 1_795_300_000.0

#: A mode histogram as a worker stores it.
HISTOGRAM: dict[str, Any] = {
    "n": 3, "embedder": "e", "reference": "r", "counts": [1, 2], "expected": 1.5, "labels": None,
    "over_represented": [], "under_represented": [],
}  # fmt: skip


class Trainer:
    """One segment of a run.

    Args:
        store: both Redis servers.
        run: its name.
        resume: whether the run may exist.
        first_row: rows before it are lost.
        metrics: what it asks for.
    """

    def __init__(
        self, store: Store, run: str = "demo", *, resume: bool = False, first_row: int = 0,
        metrics: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        self.segment = uuid.uuid4().hex[:12]
        settings = read_settings(run=run, redis_url=store.redis_url, resume=resume, metrics=metrics)
        self.link = Link(settings, self.segment)
        self.link.connect(first_row)
        self.run = self.link.run

    def post(self, frame: Frame) -> None:
        """Post a frame; the row and step of its job are those of its last push."""
        if frame.kind == "samples":
            row, step = frame.header["seq"], frame.header["step"]
        else:
            last = int(frame.tensors["row.seq"].argmax())
            row, step = (int(frame.tensors[f"row.{name}"][last]) for name in ("seq", "step"))
        self.link.post(frame, row, step)

    def scalars(self, values: Sequence[float], *, first: int = 0, name: str = "loss") -> None:
        """Post one scalar at consecutive rows, which are also the steps."""
        self.post(scalars_frame({name: values}, first=first))

    def beat(self, *, finished: bool = False, **networks: int) -> None:
        """Say that it lives, and which networks it pushes."""
        told = {
            name: {"parameters": n, "tensors": 1, "weights": "full"} for name, n in networks.items()
        }
        self.link.beat({}, told, finished=finished)


def rows_of(seq: Sequence[int], steps: Sequence[int] | None = None) -> dict[str, NDArray[Any]]:
    """Row tables of a frame."""
    step = np.array(seq if steps is None else steps, np.int64)
    return {
        "row.seq": np.array(seq, np.int64),
        "row.step": step,
        "row.epoch": step / 10,
        "row.time": START_S + step.astype(np.float64),
    }


def scalars_frame(scalars: Mapping[str, Sequence[float]], *, first: int = 0) -> Frame:
    """A weights frame of scalars at consecutive rows."""
    count = len(next(iter(scalars.values())))
    tensors = rows_of(range(first, first + count))
    for index, values in enumerate(scalars.values()):
        tensors[f"scalar.{index}.row"] = np.arange(len(values))
        tensors[f"scalar.{index}.value"] = np.array(values, np.float64)
    return Frame("weights", {"networks": [], "scalars": list(scalars), "failures": []}, tensors)


def samples_frame(
    samples: NDArray[Any], *, seq: int = 0, part: int = 0, last: bool = True, **header: Any
) -> Frame:
    """One chunk of a batch; its step is a hundred times its number."""
    told = {
        "seq": seq,
        "step": 100 * seq,
        "epoch": None,
        "time": START_S + 100 * seq,
        "part": part,
        "last": last,
        "nonfinite": 0,
        "clipped": 0,
        "failure": "",
    }
    return Frame("samples", {**told, **header}, {"samples": samples})


def claimed(queue: JobQueue, kind: Kind = "weights") -> Job:
    """The next job, which must be there."""
    job = queue.next("samples" if kind == "samples" else "fast", 1000)
    assert job is not None
    return job


def block_of(job: Job, seq: Sequence[int], steps: Sequence[int] | None = None) -> Block:
    """A block without points."""
    tables = rows_of(seq, steps)
    rows = Rows(*(tables[f"row.{name}"] for name in ("seq", "step", "epoch", "time")))
    kind: Kind = "samples" if job.kind == "samples" else "weights"
    return Block(job.run, job.segment, kind, rows)


def finish(
    queue: JobQueue,
    trainer: Trainer,
    seq: Sequence[int],
    steps: Sequence[int],
    cells: Mapping[str, Sequence[Cell]],
    *,
    kind: Kind = "weights",
    artifacts: Artifacts = NO_ARTIFACTS,
) -> None:
    """Post some rows, and answer with these cells."""
    if kind == "weights":
        trainer.post(scalars_frame({"pushed": [0.0]}, first=max(seq)))
    else:
        trainer.post(samples_frame(np.zeros((1, 1, 16, 16), np.uint8), seq=max(seq)))
    job = claimed(queue, kind)
    block = block_of(job, seq, steps)
    for metric, found in cells.items():
        for cell in found:
            block.add(metric, cell)
    assert queue.finish(job, block, artifacts=artifacts)


def keys_of(store: Store) -> set[str]:
    """Every key on both servers."""
    found: list[Any] = [*store.data.keys(), *store.blobs.keys()]
    return {key.decode() for key in found}


def entries(store: Store, stream: str) -> list[dict[bytes, bytes]]:
    """What a stream holds."""
    found: Any = store.data.xrange(stream)
    return [fields for _, fields in found]
